"""Asking for certificates, and what becomes of requests that nobody signs.

A request is judged by the gate before anything is stored. What only the registry knows is decided under the lock on
the device; whose a key is, the database's constraint decides.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import Device
from pki import policies
from pki.certificate_policies import policy_of, profile_of
from pki.models import Certificate, CertificatePolicy, CertificateRequest, RequestSource
from pki.operations import issuance
from pki.operations.auto_signing import sign_at_once
from pki.operations.request_steps import KEY, close, require_active, require_key_usable
from pki.operations.wishes import KeyOrder, Wish, asked_of, wish_for_key, wish_of_request
from pki.queries.requests import good_certificate_of, request_with_der
from pki.states import REQUEST_OPEN, CertificateState, RequestState
from portal import vault
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidInput, InvalidState, NotFound
from portal.races import retried_on_conflict

SIGNING_TIME: Final = timedelta(days=7)  # our own policy: then the device asks anew
MOST_OPEN: Final = 5  # requests that wait for one device; our own policy
TAKEN_WITHIN: Final = timedelta(days=30)  # a key that nobody fetched is destroyed then; our own policy

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Requested:
    """The request, its certificate where the bank's policy had it signed at once, and whether the call made it."""

    request: CertificateRequest
    certificate: Certificate | None = None
    created: bool = True


def request_certificate(
    *,
    actor: Actor,
    device_id: str,
    csr: bytes | str = b"",
    key_algorithm: str = "",
    key_size: int | None = None,
    subject: Mapping[str, str] | None = None,
    names: Sequence[str] = (),
    profile: str = "device",
    source: RequestSource | None = None,
) -> Requested:
    """Ask for a certificate for an active device. The request waits to be signed, seven days at most.

    device_id: any of its ids; phones and the like only. csr: the device's own request, in DER or PEM, or as text in
    PEM, base64 of PEM or base64 of DER. Without one a key is made here: key_algorithm RSA (2048, 3072, 4096), EC
    (256, 384) or ED25519. subject, names: claims of the made request; the certificate says what the registry says.
    profile: other than `device` for staff only. The same key with the same wishes while a request waits: that
    request. Where the bank signs at once for active devices that ask by their own bound token, the certificate is
    there; when that fails, the request waits.

    Not inside a transaction. Raises Forbidden (also `token-bound-elsewhere`, `profile-for-staff`), NotFound,
    InvalidInput, RulesBroken (`csr-refused`, `ask-refused`, `cn-not-device`, `cn-missing`, `require_key_usable`'s),
    InvalidState (`device-not-active`, `no-authority`, `zone-needed`), Conflict (`key-of-another-device`,
    `key-asked-otherwise`, `requests-open`) and RateLimited `key-making-busy`.
    """
    policies.require_request(actor)
    if not csr and not key_algorithm:
        raise InvalidInput.at("csr", "required", "Send the device's own request, or say which key to make.")
    if profile != "device" and actor.is_customer:
        raise Forbidden("Only staff ask for certificates of other profiles.", code="profile-for-staff")
    device = _device(actor, device_id)
    policy = policy_of(device.bank_id)
    chosen = profile_of(policy, profile)
    if chosen.needs_names and not policy.zone:
        raise InvalidState("Its names lie under the bank's zone, and the bank has none.", code="zone-needed")
    if csr:
        wish = wish_of_request(csr, device, chosen)
    else:
        _require_room(device)
        order = KeyOrder(algorithm=key_algorithm, size=key_size, subject=subject or {}, names=names)
        wish = wish_for_key(order, device, chosen)
    made = source or (RequestSource.SERVER if wish.private else RequestSource.DEVICE)
    requested = _store(actor, device.pk, wish, profile, made, policy)
    if policy.auto_sign and _is_attested(actor, device):
        return _signed_at_once(requested)
    return requested


def count_open_requests(devices: Sequence[Device]) -> int:
    """How many requests `end_open_requests` would reject. One query."""
    return CertificateRequest.objects.filter(device__in=devices, state__in=REQUEST_OPEN).count()


def end_open_requests(actor: Actor, device: Device, why: str) -> int:
    """Reject what waits for a device that goes, and give up what is being signed. Returns how many requests ended.

    Inside the caller's transaction, with the device locked. Keys that were kept for its owner are destroyed.
    """
    for certificate in Certificate.objects.filter(device=device, state=CertificateState.SIGNING):
        issuance.abort(actor, certificate.pk, why)
    rows = CertificateRequest.objects.filter(device=device).select_for_update(of=("self",)).order_by("pk")
    ended = 0
    for request in rows.filter(state__in=REQUEST_OPEN):
        close(actor, request, RequestState.REJECTED, Event.CSR_REJECTED, why)
        ended += 1
    rows.exclude(key_sealed="").update(key_sealed="")
    return ended


def lapse() -> int:
    """Close requests that nobody signed in time, and destroy keys that nobody fetched. Returns how many closed."""
    due = CertificateRequest.objects.filter(state=RequestState.PENDING, expires_at__lte=clock.now())
    lapsed = sum(
        _lapse(key, bank_id) for key, bank_id in due.order_by("expires_at").values_list("pk", "bank_id")[:500]
    )
    forgotten = CertificateRequest.objects.filter(created_at__lt=clock.now() - SIGNING_TIME - TAKEN_WITHIN)
    forgotten.filter(state=RequestState.ISSUED).exclude(key_sealed="").update(key_sealed="")
    return lapsed


@transaction.atomic
def _lapse(request_id: UUID, bank_id: UUID) -> int:
    rows = CertificateRequest.objects.select_for_update(of=("self",))
    request = rows.filter(pk=request_id, state=RequestState.PENDING).first()
    if request is None:
        return 0
    actor = Actor.system("pki.lapse", bank_id=bank_id)
    close(actor, request, RequestState.EXPIRED, Event.CSR_EXPIRED, "Nobody signed it in time.")
    return 1


def _device(actor: Actor, device_id: str) -> Device:
    """A bound token speaks for its own device only, and is told nothing about others."""
    visible = Device.objects.visible_to(actor).owned()
    device = visible.named(device_id, actor.bank_id).first()
    policies.require_own_device(actor, device.pk if device else None)
    if device is None:
        raise NotFound("There is no such device.")
    require_active(device)
    return device


def _require_room(device: Device) -> None:
    """Looked at before a key is made, too: that takes long."""
    if CertificateRequest.objects.filter(device=device, state__in=REQUEST_OPEN).count() >= MOST_OPEN:
        raise _too_many()


def _too_many() -> Conflict:
    return Conflict("Too many requests of this device wait already.", code="requests-open")


@retried_on_conflict
def _store(
    actor: Actor, device_id: UUID, wish: Wish, profile: str, source: RequestSource, policy: CertificatePolicy
) -> Requested:
    devices = Device.objects.visible_to(actor).select_for_update(of=("self",))
    device = devices.filter(pk=device_id).first()
    if device is None:  # it changed hands while the request was read
        raise NotFound("There is no such device.")
    require_active(device)
    if source == RequestSource.EST and (answered := _answered(actor, device, wish)):
        return answered
    key, asked = wish.checked.key, asked_of(wish.checked)
    require_key_usable(device, key, policy)
    waiting = list(CertificateRequest.objects.filter(device=device, state__in=REQUEST_OPEN))
    if same := next((one for one in waiting if one.key_fingerprint == key.fingerprint), None):
        if (same.asked, same.profile) != (asked, profile):
            raise Conflict("A request with this key waits, and asks for something else.", code="key-asked-otherwise")
        return Requested(same, created=False)
    if len(waiting) >= MOST_OPEN:
        raise _too_many()
    now, key_id = clock.now(), ids.new_id()
    request = CertificateRequest(
        id=key_id,
        bank_id=device.bank_id,
        device=device,
        source=source,
        profile=profile,
        der=wish.checked.der,
        key_fingerprint=key.fingerprint,
        key_algorithm=key.kind,
        key_sealed=vault.seal(KEY, key_id, wish.private),
        asked=asked,
        maker_kind=actor.kind.value,
        maker_id=actor.id[:64],
        maker_user_id=actor.user_id,
        maker_label=actor.label[:200],
        created_at=now,
        expires_at=now + SIGNING_TIME,
    )
    request.save(force_insert=True)
    details = {"device": str(device.pk), "key": key.kind, "source": source.value, "profile": profile}
    audit.record(actor, Event.CSR_REQUESTED, request, after={"state": request.state}, details=details)
    return Requested(request)


def _answered(actor: Actor, device: Device, wish: Wish) -> Requested | None:
    """The very same request was signed while this call was on its way: EST's clients ask until there is an answer."""
    before = request_with_der(actor, device.pk, wish.checked.der)
    certificate = good_certificate_of(before) if before else None
    return Requested(before, certificate, created=False) if before and certificate else None


def _is_attested(actor: Actor, device: Device) -> bool:
    """The device itself asks, by a token that is bound to it."""
    return actor.is_customer and actor.device_id == device.pk


def _signed_at_once(requested: Requested) -> Requested:
    """What needs a person, or cannot be signed now, waits as any other request does."""
    request = requested.request
    if request.state != RequestState.PENDING:
        return requested
    signed = sign_at_once(request)
    if signed is None:
        request.refresh_from_db()
        return requested
    return Requested(signed.request, signed.certificate, requested.created)
