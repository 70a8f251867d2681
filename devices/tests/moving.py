"""What tests of transfers share: a phone with one of everything on it, and what is left there afterwards."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from devices.models import Device, DeviceKey, DevicePin, Fingerprint, PinReset, Transfer
from devices.states import ResetState
from devices.tests.factories import make_application, make_device, make_key, make_token
from merchants.models import Link
from merchants.tests.factories import make_link
from pki.models import Certificate, CertificateRequest
from pki.states import REQUEST_OPEN
from pki.tests.factories import hang_certificate
from portal.accounts.models import AccessToken, RefreshToken, User
from portal.accounts.operations import people
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.outbox import operations as outbox
from portal.outbox.models import Message
from portal.vault import seal, unseal
from twofa.models import TwoFactorRequest
from twofa.operations.contents import Content, new_round

PHONE, EMAIL = "+12025550123", "cem@customer.example"


def make_furnished(owner: User, key: str = "ada") -> Device:
    """A phone with everything that its owner can leave on it: two sessions, one of all else."""
    now = clock.now()
    device = make_device(
        owner,
        nickname=f"Phone {key}",
        installation_id="installation-1",
        language="en-GB",
        push_handle=f"handle-{ids.new_id()}",
        last_activity_at=now,
    )
    make_key(device, key)
    DevicePin.objects.create(device=device, digest="digest", created_at=now, changed_at=now)
    PinReset.objects.create(
        device=device,
        owner=owner,
        method="SMS",
        sent=True,
        code_digest="digest",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    Fingerprint.objects.create(
        bank_id=owner.bank_id,
        owner=owner,
        device=device,
        hash=ids.new_id().hex * 2,
        platform="ios",
        application_name="bank",
        first_seen_at=now,
        last_seen_at=now,
    )
    hang_certificate(device)
    for _ in range(2):
        make_token(user=owner, device=device)
    make_two_factor(device)
    make_link(device)
    return device


def make_two_factor(device: Device) -> TwoFactorRequest:
    """Something that the device's owner is asked to approve on it."""
    now = clock.now()
    request = TwoFactorRequest(
        bank=device.bank,
        account=device.owner,
        application=make_application(device.bank, kind="bank"),
        destination=device,
        kind="sign-in",
        proof="signature",
        requested_at=now,
        cap_at=now + timedelta(minutes=10),
    )
    operation = {"type": "sign-in", "signIn": {"email": "", "ip": "", "location": ""}}
    new_round(request, Content(operation=operation, text="", source=None), device.keys.get())
    request.save(force_insert=True)
    return request


# What `make_furnished` makes, as the preview and the audit log count it.
ALL_CUT = {
    "sessions": 2,
    "two_factor": 1,
    "pin_resets": 1,
    "pins": 1,
    "links": 1,
    "keys": 1,
    "certificate_requests": 1,
    "certificates_revoked": 1,
    "fingerprints": 1,
    "push_handles": 1,
    "nickname": 1,
    "installation_id": 1,
    "language": 1,
    "last_activity_at": 1,
}


def left_on(device: Device) -> dict[str, int]:
    """What is there of a person, by the names of `ALL_CUT`; only what there is any of."""
    device = Device.objects.get(pk=device.pk)
    counts = {
        "sessions": AccessToken.objects.live().filter(device=device).count(),
        "renewals": RefreshToken.objects.unused().filter(access_token__device=device).count(),
        "two_factor": TwoFactorRequest.objects.open().about([device]).count(),
        "pin_resets": PinReset.objects.filter(device=device, state=ResetState.OPEN).count(),
        "pins": DevicePin.objects.filter(device=device).count(),
        "links": Link.objects.open().filter(device=device).count(),
        "keys": DeviceKey.objects.filter(device=device, retired_at=None).count(),
        "certificate_requests": CertificateRequest.objects.filter(device=device, state__in=REQUEST_OPEN).count(),
        "certificates_revoked": Certificate.objects.live().of_device(device.pk).count(),
        "fingerprints": Fingerprint.objects.filter(device=device).count(),
        "push_handles": int(bool(device.push_platform or device.push_handle_sealed or device.push_handle_index)),
        "nickname": int(bool(device.nickname or device.nickname_key)),
        "installation_id": int(bool(device.installation_id)),
        "language": int(bool(device.language)),
        "last_activity_at": int(device.last_activity_at is not None),
    }
    return {name: count for name, count in counts.items() if count}


def reachable(person: User, *, phone: str = PHONE, email: str = EMAIL) -> User:
    """Give a person contact data."""
    person.phone_sealed = seal(people.PHONE, person.pk, phone)
    person.email_sealed = seal(people.EMAIL, person.pk, email)
    person.save(update_fields=["phone_sealed", "email_sealed"])
    return person


def messages(template: str = "") -> list[tuple[str, str, str, str]]:
    """(template, kind, recipient, text) of the outbox, oldest first."""
    rows = Message.objects.filter(template=template) if template else Message.objects.all()
    return [
        (
            row.template,
            row.kind,
            unseal(outbox.RECIPIENT, row.pk, row.recipient_sealed),
            unseal(outbox.BODY, row.pk, row.body_sealed),
        )
        for row in rows.order_by("created_at", "id")
    ]


def code_sent() -> str:
    """The acceptance code of the newest message that has one."""
    [*_, (_, _, _, text)] = messages("transfer-code")
    return text.partition("app: ")[2][:8]


def story(device: Device) -> list[tuple[str, str]]:
    """(event, transfer state) of a device, oldest first; of a refusal the code."""
    events = AuditEvent.objects.filter(object_id=str(device.pk)).order_by("id")
    return [
        (one.event, one.code or json.loads(one.data).get("after", {}).get("transfer_state", "")) for one in events
    ]


@contextmanager
def nothing_changed() -> Iterator[None]:
    """What is done inside changes no device and no transfer, sends nothing and leaves no event."""

    def look() -> list[object]:
        rows = [list(model._default_manager.order_by("pk").values()) for model in (Device, Transfer)]
        return [*rows, Message.objects.count(), AuditEvent.objects.count()]

    before = look()
    yield
    assert look() == before
