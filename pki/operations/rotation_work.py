"""Carrying rotations out: any number of workers claim rows, sign outside of any transaction, and say what came of it.

    claim     transaction: rows whose time has come, within the bank's rate, belong to this worker for a while
    begin     transaction: under the device's lock, what stood in the way is looked at; a serial is reserved
    sign      no transaction
    store     transaction: the certificate, the overlap and the ledger together (`issuance.store`)

A worker that dies leaves its claim behind; when it has run out, the next worker gives up what was reserved and
begins again. A worker that comes back late finds that its claim is not its own any more, and changes nothing.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from devices.models import Device
from pki.certificate_policies import issuing_authority, policy_of, profile_of
from pki.models import AttemptOutcome, BlockedKey, Certificate, CertificateAuthority, CertificatePolicy, Rotation
from pki.operations import rotation_ledger as ledger
from pki.operations.issuance import Reserved, Wanted, abort, make, reserve
from pki.operations.locks import lock_device
from pki.operations.rotation_notices import ask_for_key
from pki.operations.rotation_terms import granted_again, key_of
from pki.rotation_schedule import LAST_MOMENT, next_reminder, next_try
from pki.states import CaRole, CaState, CertificateState, RotationState
from pki.x509.profiles import Profile
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import DomainError

CLAIM: Final = timedelta(minutes=2)  # far above what a batch's signatures take
_RATE_PERIOD: Final = timedelta(minutes=1)
BATCH: Final = 50
SECONDS: Final = 20.0  # of one run; the next one goes on
_LOST_TRIES: Final = 3  # a row at which workers stop again and again is not tried at once any more

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """One rotation that this worker has. until: names the claim; another worker's is later."""

    rotation_id: UUID
    device_id: UUID
    bank_id: UUID
    until: datetime


def rotate_batch(*, seconds: float = SECONDS) -> int:
    """Carry out what is due, until nothing is, or the time is over. Not inside a transaction.

    Returns how many certificates were issued. Never raises for one rotation: its ledger says what happened.
    """
    end, issued = time.monotonic() + seconds, 0
    while claims := claim():
        for one in claims:
            issued += carry_out(one)
        if time.monotonic() >= end:
            break
    return issued


def claim(limit: int = BATCH) -> list[Claim]:
    """Take what is due, the nearest end first. Banks whose rotations are paused are left out."""
    claims: list[Claim] = []
    for authority_id in _issuing().order_by("?").values_list("pk", flat=True):
        claims += _claim(authority_id, limit - len(claims))
        if len(claims) >= limit:
            break
    return claims


def carry_out(one: Claim) -> bool:
    """Renew one certificate. Returns whether a new one was issued."""
    actor = Actor.system("pki.rotate", bank_id=one.bank_id)
    try:
        reserved = _begin(actor, one)
        if reserved is not None:
            make(actor, reserved)
    except DomainError as refused:
        failed(actor, one, refused.message)
        return False
    except Exception:
        log.exception("a rotation failed", extra={"rotation": str(one.rotation_id)})
        failed(actor, one, "An error of the portal; its log says more.")
        return False
    return reserved is not None


@transaction.atomic
def failed(actor: Actor, one: Claim, reason: str, *, waits_for_device: bool = False) -> None:
    """A try came to nothing: when is the next one? Nothing happens where the claim is somebody else's by now."""
    mine = Rotation.objects.select_for_update(of=("self",))
    rotation = mine.filter(pk=one.rotation_id, state=RotationState.SIGNING, claim_until=one.until).first()
    if rotation is None:
        return
    if rotation.by_device:
        ledger.note(rotation, AttemptOutcome.FAILED, reason)
        ledger.cancel(actor, rotation, "The device's own request came to nothing. It asks again.")
        return
    now = clock.now()
    following = next_try(str(rotation.pk), max(rotation.attempts, 1), now, rotation.due_at)
    if following is None:
        ledger.note(rotation, AttemptOutcome.FAILED, reason)
        ledger.give_up(actor, rotation, f"Too late to try again. {reason}")
        return
    if waits_for_device:
        following = next_reminder(now, rotation.due_at)
    rotation.move_to(RotationState.AWAITING_DEVICE if waits_for_device else RotationState.PLANNED)
    _try_again(rotation, AttemptOutcome.FAILED, reason, following)


def _issuing() -> QuerySet[CertificateAuthority]:
    return CertificateAuthority.objects.filter(role=CaRole.ISSUING, state=CaState.ACTIVE, paused_at=None)


@transaction.atomic(durable=True)
def _claim(authority_id: UUID, limit: int) -> list[Claim]:
    """The authority's row is locked first, so that workers together keep to its rate."""
    authority = _issuing().select_for_update(no_key=True, of=("self",)).filter(pk=authority_id).first()
    if authority is None or authority.bank_id is None:
        return []
    now = clock.now()
    of_bank = Rotation.objects.filter(bank_id=authority.bank_id)
    recent = of_bank.filter(claim_until__gt=now + CLAIM - _RATE_PERIOD).count()
    room = min(limit, authority.rotation_rate - recent)
    if room <= 0:
        return []
    rows = of_bank.claimable().select_for_update(skip_locked=True, of=("self",)).order_by("due_at")[:room]
    claimed = [row for row in rows if _take(row, now)]
    Rotation.objects.bulk_update(claimed, ["state", "attempts", "claim_until", "next_try_at"])
    return [Claim(row.pk, row.device_id, row.bank_id, now + CLAIM) for row in claimed]


def _take(rotation: Rotation, now: datetime) -> bool:
    if rotation.by_device:
        actor = Actor.system("pki.rotate", bank_id=rotation.bank_id)
        ledger.cancel(actor, rotation, "It stopped in the middle of the device's own request. The device asks again.")
        return False
    if rotation.state == RotationState.SIGNING:
        following = next_try(str(rotation.pk), rotation.attempts, now, rotation.due_at)
        if rotation.attempts >= _LOST_TRIES and following is not None:
            rotation.move_to(RotationState.PLANNED)
            _try_again(rotation, AttemptOutcome.LOST, "A worker stopped in the middle, again.", following)
            return False
        ledger.note(rotation, AttemptOutcome.LOST, "A worker stopped in the middle.", next_try_at=now)
    else:
        rotation.move_to(RotationState.SIGNING)
    rotation.attempts += 1
    rotation.claim_until = rotation.next_try_at = now + CLAIM
    return True


def _try_again(rotation: Rotation, outcome: AttemptOutcome, reason: str, at: datetime) -> None:
    rotation.next_try_at = at
    rotation.last_reason = reason[: ledger.LONGEST]
    if Certificate.objects.filter(pk=rotation.new_id_planned).exclude(state=CertificateState.SIGNING).exists():
        rotation.new_id_planned = ids.new_id()
    rotation.save(update_fields=["state", "next_try_at", "last_reason", "new_id_planned"])
    ledger.note(rotation, outcome, reason, next_try_at=at)


@transaction.atomic(durable=True)
def _begin(actor: Actor, one: Claim) -> Reserved | None:
    """Look at what is there now, and reserve a serial. None: the rotation went another way."""
    device = lock_device(one.device_id, "owner")
    rows = Rotation.objects.select_for_update(of=("self",)).select_related("old__authority", "authority")
    rotation = rows.filter(pk=one.rotation_id, state=RotationState.SIGNING, claim_until=one.until).first()
    if rotation is None or not _is_wanted(actor, rotation, device):
        return None
    rotation.device = device
    clear_planned_id(actor, rotation)
    policy = policy_of(rotation.bank_id)
    profile = profile_of(policy, rotation.old.profile)
    if problem := key_problem(rotation.old, policy, profile):
        _await_device(actor, rotation, problem)
        return None
    return _reserve_for(actor, rotation, policy, profile)


def _is_wanted(actor: Actor, rotation: Rotation, device: Device) -> bool:
    old = rotation.old
    if old.not_after <= clock.now() + LAST_MOMENT:
        ledger.give_up(actor, rotation, "The certificate ran out before it was renewed.")
    elif old.state != CertificateState.ACTIVE:
        ledger.cancel(actor, rotation, "The certificate is not the device's current one any more.")
    elif not device.is_active:
        ledger.cancel(actor, rotation, "The device is not active. It is planned anew when it is.")
    return rotation.state == RotationState.SIGNING


def clear_planned_id(actor: Actor, rotation: Rotation) -> None:
    """What a try before left under the planned id is given up: its serial is never used again, nor is the id."""
    if rotation.attempts == 1:
        return  # the first try finds nothing
    left = Certificate.objects.filter(pk=rotation.new_id_planned).first()
    if left is None:
        return
    abort(actor, left.pk, "Its worker stopped before it was stored.")
    rotation.new_id_planned = ids.new_id()
    rotation.save(update_fields=["new_id_planned"])


def key_problem(old: Certificate, policy: CertificatePolicy, profile: Profile) -> str:
    """Why a certificate's key is not certified again; "" where it is."""
    if old.key_since + timedelta(days=policy.key_lifetime_days) <= clock.now():
        return "The key is older than the bank's policy lets it become."
    if old.key_algorithm not in profile.keys:
        return "The bank does not certify keys of this kind any more."
    if BlockedKey.objects.has(old.key_fingerprint):
        return "The key is blocked."
    return ""


def _await_device(actor: Actor, rotation: Rotation, reason: str) -> None:
    """Ask the device for a new key. It is asked again until it sends one, or the certificate runs out."""
    before = rotation.move_to(RotationState.AWAITING_DEVICE)
    rotation.next_try_at = next_reminder(clock.now(), rotation.due_at)
    rotation.last_reason = reason[: ledger.LONGEST]
    rotation.save(update_fields=["state", "next_try_at", "last_reason"])
    ledger.note(rotation, AttemptOutcome.ASKED, reason, next_try_at=rotation.next_try_at)
    ledger.record(actor, Event.ROTATION_AWAITS_DEVICE, rotation, before, reason)
    ask_for_key(rotation)


def _reserve_for(actor: Actor, rotation: Rotation, policy: CertificatePolicy, profile: Profile) -> Reserved:
    """Reserve the new certificate's serial: the same key, and what the old one was good for."""
    old = rotation.old
    authority = issuing_authority(rotation.bank_id)
    if rotation.authority_id != authority.pk:  # another took over since it was planned
        rotation.authority = authority
        rotation.save(update_fields=["authority"])
    wanted = Wanted(
        device=rotation.device,
        key=key_of(old),
        profile=profile,
        granted=granted_again(old, profile),
        authority=authority,
        policy=policy,
        replaces=old,
        certificate_id=rotation.new_id_planned,
        key_since=old.key_since,
    )
    return reserve(actor, wanted)
