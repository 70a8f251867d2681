"""Approval keys of devices."""

from django.db import IntegrityError, transaction

from devices import policies
from devices.models import Device, DeviceKey
from pki.models import BlockedKey, CertifiedKey
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, VerificationFailed
from portal.crypto.keys import InvalidKey, parse_public_key
from portal.crypto.signatures import verify


@transaction.atomic
def enrol_key(*, actor: Actor, device_id: str, public_key: str, challenge: bytes, signature: bytes) -> DeviceKey:
    """Give a device the key that has just signed `challenge`. A key that the device already has stays as it is.

    public_key: hex in any encoding that `parse_public_key` reads. Raises InvalidInput for a key that is not good,
    VerificationFailed when the signature is not by it, Conflict `key-in-use` when it is (or was) another device's
    or the device has another key.
    """
    policies.enrol_key(actor).require()
    device = Device.objects.visible_to(actor).for_change(device_id, actor.bank_id)
    try:
        key = parse_public_key(public_key)
    except InvalidKey as error:
        raise InvalidInput.at("public_key", error.code, str(error)) from None
    if not verify(key, challenge, signature):
        raise VerificationFailed("The challenge is not signed by this key.", code="signature-wrong")
    if BlockedKey.objects.has(key.fingerprint) or CertifiedKey.objects.filter(fingerprint=key.fingerprint).exists():
        # One key, one purpose (NIST SP 800-57 part 1, 5.2), and a compromised key never comes back.
        raise Conflict("This key cannot be used for this device.", code="key-in-use")
    same = DeviceKey.objects.filter(device=device, fingerprint=key.fingerprint, retired_at=None).first()
    if same is not None and same.proved_at is not None:
        return same
    now = clock.now()
    row = DeviceKey(
        device=device,
        algorithm=key.algorithm,
        public_key=key.canonical,
        spelling=key.spelling,
        fingerprint=key.fingerprint,
        registered_at=now,
        proved_at=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Conflict("This key cannot be used for this device.", code="key-in-use") from None
    audit.record(
        actor,
        Event.DEVICE_KEY_ENROLLED,
        device,
        after={"algorithm": key.algorithm, "fingerprint": key.fingerprint},
    )
    return row
