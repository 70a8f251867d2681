"""Approval keys of devices."""

from django.db import IntegrityError, transaction

from devices import policies
from devices.models import Device, DeviceKey
from pki.models import BlockedKey, CertifiedKey
from portal.accounts.operations.tokens import end_tokens_of_device
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, VerificationFailed
from portal.crypto.keys import InvalidKey, PublicKey, parse_public_key
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
    key = read_key(public_key)
    if not verify(key, challenge, signature):
        raise VerificationFailed("The challenge is not signed by this key.", code="signature-wrong")
    in_use = DeviceKey.objects.in_use().filter(device=device)
    if in_use.exclude(fingerprint=key.fingerprint).exists():
        raise Conflict("This key cannot be used for this device.", code="key-in-use")
    return keep_key(actor, device, key, proved=True)


def read_key(public_key: str) -> PublicKey:
    """The key in any spelling that `parse_public_key` reads. Raises InvalidInput at `public_key`."""
    try:
        return parse_public_key(public_key)
    except InvalidKey as error:
        raise InvalidInput.at("public_key", error.code, str(error)) from None


def keep_key(actor: Actor, device: Device, key: PublicKey, *, proved: bool) -> DeviceKey:
    """Keep a device's key in the caller's transaction, the device locked and everything about the caller decided.

    proved: it has just signed what we asked; else it waits, counts for nothing and keeps nobody else from the key. A
    key that the device has already is only proved. Another key that was in use is retired once this one is proved,
    and the device's sessions end but the one that does it. Raises Conflict `key-in-use`, as `enrol_key` does.
    """
    if BlockedKey.objects.has(key.fingerprint) or CertifiedKey.objects.filter(fingerprint=key.fingerprint).exists():
        # One key, one purpose (NIST SP 800-57 part 1, 5.2), and a compromised key never comes back.
        raise Conflict("This key cannot be used for this device.", code="key-in-use")
    now = clock.now()
    row = DeviceKey.objects.filter(device=device, fingerprint=key.fingerprint, retired_at=None).first()
    if row is not None and (row.proved_at is not None or not proved):
        return row
    row = row or _new(device, key)
    retired, ended = _retire_others(actor, device) if proved else ([], 0)
    row.proved_at = now if proved else None
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict("This key cannot be used for this device.", code="key-in-use") from None
    if proved:
        after = {"algorithm": key.algorithm, "fingerprint": key.fingerprint}
        details = {"retired": retired, "ended": {"sessions": ended}} if retired else None
        audit.record(actor, Event.DEVICE_KEY_ENROLLED, device, after=after, details=details)
    return row


def _new(device: Device, key: PublicKey) -> DeviceKey:
    return DeviceKey(
        device=device,
        algorithm=key.algorithm,
        public_key=key.canonical,
        spelling=key.spelling,
        fingerprint=key.fingerprint,
        registered_at=clock.now(),
    )


def _retire_others(actor: Actor, device: Device) -> tuple[list[str], int]:
    """One key in use: the ones before never count again, nor do sessions of the device that came by them.

    Returns their fingerprints, and how many sessions ended: all but the actor's own.
    """
    others = DeviceKey.objects.in_use().filter(device=device)
    before = list(others.values_list("fingerprint", flat=True))
    if not before:
        return [], 0
    others.update(retired_at=clock.now())
    return before, end_tokens_of_device(device.pk, but=actor.token_id)
