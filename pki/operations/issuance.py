"""How a certificate is made, in three steps, so that no crash can use a serial twice or leave one unsettled.

    1  reserve   transaction: a random serial is stored (SIGNING), "started" is written down
    2  sign      no transaction, no lock: prepare, lint, the authority's key signs, the result is looked at again
    3  store     transaction: the certificate is ACTIVE, the one before it overlaps, "issued" is written down

What stays in SIGNING is settled by the sweep: its serial is never used again (ABORTED), and OCSP never says "good"
of it. A certificate that was signed but not stored was given to nobody.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import Device
from pki.authority import issuer_of, signer_of
from pki.keystore import KeyUnavailable
from pki.models import (
    BlockedKey,
    Certificate,
    CertificateAuthority,
    CertificatePolicy,
    CertificateRequest,
    CertifiedKey,
)
from pki.operations import ending, rotation_ledger
from pki.operations.locks import lock_device
from pki.rotation_schedule import slot
from pki.states import ENDABLE, CertificateState, RequestState, RevocationReason
from pki.x509.alternative_names import AlternativeName
from pki.x509.asking import Granted
from pki.x509.building import Issued, issue, prepare
from pki.x509.keys_policy import CheckedKey
from pki.x509.linting import LintRefused
from pki.x509.orders import Issuer, Order, Subject, validity
from pki.x509.profiles import Profile
from pki.x509.serials import new_serial
from portal import jobs
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import InvalidState, Unavailable

UNSETTLED: Final = timedelta(minutes=5)  # far above what signing takes, a slow token included
MOST_TRIES: Final = 5  # of signing what two people allowed; then people look at it

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A certificate to be made. device: locked. key_since: when the key was first certified; None: now.

    request: what asked for it, moved to SIGNING by the caller. replaces: the certificate it takes over from.
    certificate_id: when callers were told it beforehand.
    """

    device: Device
    key: CheckedKey
    profile: Profile
    granted: Granted
    authority: CertificateAuthority
    policy: CertificatePolicy
    request: CertificateRequest | None = None
    replaces: Certificate | None = None
    certificate_id: UUID | None = None
    key_since: datetime | None = None


@dataclass(frozen=True)
class Reserved:
    """A serial is stored, and what it is for is settled. Sign it once."""

    certificate: Certificate
    order: Order
    issuer: Issuer
    overlap: timedelta


def reserve(actor: Actor, wanted: Wanted) -> Reserved:
    """Step 1, inside the caller's transaction and under its lock on the device."""
    now = clock.now()
    not_before, not_after = validity(now, wanted.granted.days)
    serial = new_serial()
    certificate = Certificate(
        id=wanted.certificate_id or ids.new_id(),
        bank_id=wanted.device.bank_id,
        authority=wanted.authority,
        device=wanted.device,
        request=wanted.request,
        replaces=wanted.replaces,
        serial=f"{serial:040x}",
        profile=wanted.profile.name,
        key_fingerprint=wanted.key.fingerprint,
        key_algorithm=wanted.key.kind,
        key_since=wanted.key_since or _first_seen(wanted.key) or now,
        not_before=not_before,
        not_after=min(not_after, wanted.authority.not_after),
        reserved_at=now,
    )
    certificate.save(force_insert=True)
    details = {"device": str(wanted.device.pk), "serial": certificate.serial, "profile": wanted.profile.name}
    audit.record(actor, Event.CERTIFICATE_STARTED, certificate, details=details)
    order = Order(
        profile=wanted.profile,
        key=wanted.key,
        subject=subject_of(wanted.device, wanted.policy),
        serial=serial,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        names=names_of(wanted.device, wanted.policy, wanted.profile),
        granted=wanted.granted,
        zone=wanted.policy.zone,
    )
    overlap = timedelta(days=wanted.policy.overlap_days)
    return Reserved(certificate, order, issuer_of(wanted.authority), overlap)


def make(actor: Actor, reserved: Reserved) -> Certificate:
    """Steps 2 and 3. Not inside a transaction. What cannot be signed is aborted, and its request waits again.

    Raises Unavailable `signing-failed` when the key store does not answer, InvalidState `lint-refused` with every
    finding when the certificate would break its profile. Anything else is an error of ours, and goes on.
    """
    authority = reserved.certificate.authority
    try:
        issued = issue(prepare(reserved.order, reserved.issuer), signer_of(authority))
    except LintRefused as refused:
        abort(actor, reserved.certificate.pk, ", ".join(finding.rule for finding in refused.findings))
        findings = [(finding.rule, finding.sentence, finding.source) for finding in refused.findings]
        raise InvalidState(
            "The certificate would break its profile.", code="lint-refused", findings=findings
        ) from None
    except KeyUnavailable as error:
        log.exception("an authority's key did not sign", extra={"authority": authority.name})
        abort(actor, reserved.certificate.pk, "the key store did not sign")
        raise Unavailable("The certificate cannot be signed right now.", code="signing-failed") from error
    except Exception:
        abort(actor, reserved.certificate.pk, "an error of the portal")
        raise
    try:
        return store(actor, reserved, issued)
    except InvalidState as refused:
        abort(actor, reserved.certificate.pk, refused.message)
        raise


@transaction.atomic(durable=True)
def store(actor: Actor, reserved: Reserved, issued: Issued) -> Certificate:
    """Step 3. Raises InvalidState, and what was signed is thrown away: `signing-aborted` when the sweep was faster,
    `key-blocked` and `replaces-revoked` for what happened while the key was signing.
    """
    device = lock_device(reserved.certificate.device_id)
    request = _lock_request(reserved.certificate.request_id)
    rows = Certificate.objects.select_for_update(of=("self",)).select_related("replaces")
    certificate = rows.get(pk=reserved.certificate.pk)
    if certificate.state != CertificateState.SIGNING:
        raise InvalidState("This took too long and was given up. Ask again.", code="signing-aborted")
    _require_wanted(certificate)
    now = clock.now()
    _make_room(actor, device, certificate, now + reserved.overlap)
    certificate.move_to(CertificateState.ACTIVE)
    certificate.der = issued.der
    certificate.issued_at = now
    certificate.renew_at = slot_of(certificate)
    certificate.save(update_fields=["state", "replaces", "der", "issued_at", "renew_at"])
    if request is not None:
        certificate.request = request
        request.move_to(RequestState.ISSUED)
        request.save(update_fields=["state"])
    details = {"device": str(device.pk), "serial": certificate.serial, "fingerprint": issued.fingerprint}
    audit.record(actor, Event.CERTIFICATE_ISSUED, certificate, after={"state": certificate.state}, details=details)
    rotation_ledger.settle_with(actor, certificate)
    if not device.is_active:  # switched off while the key was signing
        ending.hold(actor, certificate, why="The device was switched off meanwhile.")
    jobs.ring("pki.presign", certificate.pk)
    return certificate


@transaction.atomic
def abort(actor: Actor, certificate_id: UUID, why: str) -> bool:
    """Give up a serial that nothing was issued under; its request waits again. A repeat changes nothing."""
    known = Certificate.objects.filter(pk=certificate_id, state=CertificateState.SIGNING).first()
    if known is None:
        return False
    lock_device(known.device_id)
    request = _lock_request(known.request_id)
    rows = Certificate.objects.select_for_update(of=("self",))
    certificate = rows.filter(pk=certificate_id, state=CertificateState.SIGNING).first()
    if certificate is None:
        return False
    certificate.move_to(CertificateState.ABORTED)
    certificate.save(update_fields=["state"])
    if request is not None and request.state == RequestState.SIGNING:
        _wait_again(request)
    details = {"device": str(certificate.device_id), "serial": certificate.serial}
    audit.record(actor, Event.CERTIFICATE_ABORTED, certificate, reason=why[:500], details=details)
    return True


def _lock_request(request_id: UUID | None) -> CertificateRequest | None:
    rows = CertificateRequest.objects.select_for_update(of=("self",))
    return rows.get(pk=request_id) if request_id else None


def _wait_again(request: CertificateRequest) -> None:
    """What two people allowed is tried again, a few times; everything else waits for a decision anew."""
    tries = request.terms.get("tries")
    if tries is None or tries + 1 >= MOST_TRIES:
        request.move_to(RequestState.PENDING)
        forget_decision(request)
        return
    request.terms["tries"] = tries + 1
    request.move_to(RequestState.READY)
    request.save(update_fields=["state", "terms"])


def forget_decision(request: CertificateRequest) -> None:
    """Nobody has decided on a request that waits again. Saves its state, too; the audit log keeps who did."""
    request.terms, request.decided_by, request.decided_at, request.reason = {}, None, None, ""
    request.save(update_fields=["state", "terms", "decided_by", "decided_at", "reason"])


def settle() -> int:
    """Abort what a crash left in SIGNING; the sweep's work. Returns how many there were."""
    late = Certificate.objects.filter(state=CertificateState.SIGNING, reserved_at__lt=clock.now() - UNSETTLED)
    settled = 0
    for certificate_id, bank_id in late.order_by("reserved_at").values_list("pk", "bank_id")[:200]:
        actor = Actor.system("pki.settle", bank_id=bank_id)
        settled += abort(actor, certificate_id, "nobody finished it")
    return settled


def subject_of(device: Device, policy: CertificatePolicy) -> Subject:
    """The registry's and the bank's words, never the request's."""
    return Subject(
        country=policy.country,
        organization=policy.organisation,
        common_name=device.public_id,
        unit=policy.unit or None,
    )


def names_of(device: Device, policy: CertificatePolicy, profile: Profile) -> tuple[AlternativeName, ...]:
    """The device's name under the bank's zone, where there is one: hyphens, as host names have no underscores."""
    if not policy.zone or "dns" not in profile.alternatives:
        return ()
    return (AlternativeName("dns", f"{device.public_id.lower().replace('_', '-')}.{policy.zone}"),)


def slot_of(certificate: Certificate) -> datetime:
    """When a certificate is renewed."""
    return slot(certificate.serial, certificate.not_before, certificate.not_after)


def _require_wanted(certificate: Certificate) -> None:
    """A key that was blocked, or a certificate that was revoked, does not come back through what was on its way."""
    if BlockedKey.objects.has(certificate.key_fingerprint):
        raise InvalidState("The key was blocked meanwhile.", code="key-blocked")
    if certificate.replaces is not None and certificate.replaces.state == CertificateState.REVOKED:
        raise InvalidState("The certificate that this one replaces was revoked.", code="replaces-revoked")


def _first_seen(key: CheckedKey) -> datetime | None:
    """How old a key is does not begin anew with each certificate."""
    found = CertifiedKey.objects.filter(fingerprint=key.fingerprint).first()
    return found.first_seen_at if found else None


def _make_room(actor: Actor, device: Device, new: Certificate, until: datetime) -> None:
    """The older of two overlaps until the new one is proved; the oldest of three ends now. The caller saves `new`."""
    there = list(Certificate.objects.filter(device=device, state__in=ENDABLE))
    # What staff hold stays held: only staff let it go on, or end it.
    for oldest in (one for one in there if one.state != CertificateState.ACTIVE and not one.held_apart):
        ending.revoke(actor, oldest, RevocationReason.SUPERSEDED, why="A newer certificate was issued.")
    for active in (one for one in there if one.state == CertificateState.ACTIVE):
        active.move_to(CertificateState.OVERLAP)
        active.overlap_until = min(until, active.not_after)
        active.save(update_fields=["state", "overlap_until"])
        if new.replaces_id is None:
            new.replaces = active
