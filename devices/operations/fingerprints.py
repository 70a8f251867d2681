"""Device fingerprints, recorded whenever a customer signs in or signs up (SPiD's description, "POST /devices")."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings

from devices.models import Device, Fingerprint, FingerprintPlatform
from devices.operations.facts import EXTERNAL_ID, MAX_LENGTHS
from devices.policies import fingerprints as policies
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput
from portal.core.texts import line_problems
from portal.crypto.digests import keyed_digest
from portal.races import retried_on_conflict

LONGEST_NAME: Final = 100  # as the column has it; the vendor names no limit
LONGEST_VERSION: Final = MAX_LENGTHS["app_version"]


@dataclass(frozen=True)
class Recorded:
    """The fingerprint, and whether it is new."""

    fingerprint: Fingerprint
    created: bool


@retried_on_conflict
def record_fingerprint(
    *, actor: Actor, device_id: str, platform: str, application_name: str, application_version: str = ""
) -> Recorded:
    """Note that a customer signed in with this application on this device.

    device_id: 1 to 128 of `[A-Za-z0-9._:-]`; it is hashed, not kept. platform: ios or android. application_name: up
    to 100 characters, hashed as it stands. application_version: up to 64, not hashed; "" was not given and leaves
    what is there. The same device, platform and application again is the same fingerprint: when it was last seen and
    its version are brought up to date, and only another version leaves an event. It hangs on the customer's own
    device of this id, where there is one. Raises Forbidden, InvalidInput.
    """
    policies.record(actor).require()
    _check(device_id, platform, application_name, application_version)
    if actor.bank_id is None or actor.user_id is None:
        raise ValueError("a customer has a bank and an id")
    device = _registered(actor, device_id)  # its lock comes before that of anything that hangs on it
    digest = fingerprint_hash(actor.bank_id, device_id, platform, application_name)
    found = Fingerprint.objects.select_for_update().filter(owner_id=actor.user_id, hash=digest).first()
    if found is not None:
        return _seen_again(actor, found, device, application_version)
    new = Fingerprint(bank_id=actor.bank_id, owner_id=actor.user_id, device=device, hash=digest)
    new.platform, new.application_name, new.application_version = platform, application_name, application_version
    new.first_seen_at = new.last_seen_at = clock.now()
    new.save(force_insert=True)
    _record(actor, new, before=None)
    return Recorded(new, created=True)


def fingerprint_hash(bank_id: UUID, device_id: str, platform: str, application_name: str) -> str:
    """64 hex digits over the three, under a key of the bank's own: two banks cannot compare their customers."""
    bank_key = bytes.fromhex(keyed_digest(settings.FINGERPRINT_KEY, "fingerprint.bank", str(bank_id)))
    return keyed_digest(bank_key, "fingerprint", device_id, platform, application_name)


def _check(device_id: str, platform: str, application_name: str, application_version: str) -> None:
    problems = [
        *line_problems("application_name", application_name, longest=LONGEST_NAME, required=True),
        *line_problems("application_version", application_version, longest=LONGEST_VERSION),
    ]
    if not EXTERNAL_ID.fullmatch(device_id):
        code = "invalid-format" if device_id else "required"
        problems.append(FieldProblem("device_id", code, "1 to 128 letters, digits and . _ : - are allowed."))
    if platform not in FingerprintPlatform.values:
        problems.append(FieldProblem("platform", "unknown-enum", "One of: ios, android."))
    if problems:
        raise InvalidInput(fields=tuple(problems))


def _registered(actor: Actor, device_id: str) -> Device | None:
    """The customer's own device of this id, locked; the one in use before those that are retired."""
    own = Device.objects.visible_to(actor).owned().named(device_id, actor.bank_id)
    return own.select_for_update(of=("self",)).first()


def _seen_again(actor: Actor, found: Fingerprint, device: Device | None, version: str) -> Recorded:
    before = found.application_version
    found.device = device
    found.last_seen_at = clock.now()
    found.application_version = version or before
    found.save(update_fields=["device", "last_seen_at", "application_version"])
    if found.application_version != before:
        _record(actor, found, before={"application_version": before})
    return Recorded(found, created=False)


def _record(actor: Actor, fingerprint: Fingerprint, *, before: dict[str, str] | None) -> None:
    after: dict[str, str] = {"application_version": fingerprint.application_version}
    if before is None:
        after |= {"platform": fingerprint.platform, "application_name": fingerprint.application_name}
    details = {"device": str(fingerprint.device_id)} if fingerprint.device_id else None
    audit.record(actor, Event.FINGERPRINT_RECORDED, fingerprint, before=before, after=after, details=details)
