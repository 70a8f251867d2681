"""What every step of a request does: lock, close, write down; and what a device and its key must be."""

from typing import Final

from devices.models import Device, DeviceKey
from devices.states import DeviceStatus
from pki.models import BlockedKey, CertificatePolicy, CertificateRequest, CertifiedKey
from pki.models.requests import CertificateRequestQuerySet
from pki.operations.past import require_good_key
from pki.operations.refusals import by_registry
from pki.states import RequestState
from pki.x509.keys_policy import CheckedKey
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidState, NotFound

KEY: Final = "csr.key"  # the purpose under which a key that was made here is sealed


def lock_request(rows: CertificateRequestQuerySet, csr_id: str) -> CertificateRequest:
    """The request that `CSR_…` names among `rows`, locked, and its device before it. Raises NotFound."""
    wanted = rows.named(csr_id)
    device = Device.objects.select_for_update(of=("self",)).filter(pk__in=wanted.values("device_id")).first()
    request = wanted.select_for_update(of=("self",)).first() if device else None
    if request is None or device is None:
        raise NotFound("There is no such request.")
    request.device = device
    return request


def close(actor: Actor, request: CertificateRequest, state: RequestState, event: Event, why: str) -> None:
    """Reject or expire a request, whose row is locked; a key that was made for it is destroyed."""
    before = request.move_to(state)
    request.decided_by_id = actor.user_id if actor.is_staff and actor.user_id != request.maker_user_id else None
    request.decided_at, request.reason, request.key_sealed = clock.now(), why, ""
    request.save(update_fields=["state", "decided_by", "decided_at", "reason", "key_sealed"])
    record(actor, event, request, before, why)


def record(actor: Actor, event: Event, request: CertificateRequest, before: RequestState, why: str) -> None:
    """Write what became of a request."""
    audit.record(
        actor,
        event,
        request,
        before={"state": before.value},
        after={"state": request.state},
        reason=why,
        details={"device": str(request.device_id), "csr": request.public_id},
    )


def require_active(device: Device) -> None:
    """Raises InvalidState `device-not-active`."""
    if device.status != DeviceStatus.ACTIVE:
        raise InvalidState(
            "Only an active device gets a certificate.", code="device-not-active", status=device.status
        )


def require_not_blocked(fingerprint: str) -> None:
    """Raises RulesBroken `key-blocked` for a key that was compromised, in whichever bank."""
    if BlockedKey.objects.has(fingerprint):
        raise by_registry("key-blocked")


def require_key_still_usable(request: CertificateRequest, policy: CertificatePolicy) -> None:
    """The same, for a request that waited since its key was claimed. Its device is locked, and read with it.

    Raises RulesBroken (`key-blocked`, `key-too-old`, `key-on-hold`, `key-revoked`).
    """
    require_not_blocked(request.key_fingerprint)
    require_good_key(request.device, CertifiedKey.objects.get(fingerprint=request.key_fingerprint), policy)


def require_key_usable(device: Device, key: CheckedKey, policy: CertificatePolicy) -> None:
    """Claim a key for a device, whose row is locked: one key, one device, for good.

    Raises RulesBroken (`key-blocked`, `key-signs-approvals`, `key-too-old`, `key-on-hold`, `key-revoked`), Conflict
    `key-of-another-device`.
    """
    require_not_blocked(key.fingerprint)
    if DeviceKey.objects.filter(fingerprint=key.fingerprint, proved_at__isnull=False).exists():
        raise by_registry("key-signs-approvals")
    found, _ = CertifiedKey.objects.get_or_create(
        fingerprint=key.fingerprint, defaults={"device": device, "first_seen_at": clock.now()}
    )
    if found.device_id != device.pk:
        raise Conflict("This key is another device's.", code="key-of-another-device")
    require_good_key(device, found, policy)
