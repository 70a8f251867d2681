"""What the tests about PINs share: whose phone it is, what was written, which code went out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings

from devices.models import Device, DevicePin, PinReset
from devices.tests.factories import (
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_token,
)
from portal import vault
from portal.accounts.models import AccessToken, RefreshToken, User
from portal.accounts.operations.people import EMAIL, PHONE
from portal.accounts.tokens import find_token
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import DomainError
from portal.crypto.pins import check_pin
from portal.outbox.models import Message
from portal.outbox.operations import BODY, RECIPIENT

PIN, NEXT, WRONG = "194738", "507392", "830174"
NUMBER, ADDRESS = "+2348012345678", "john.doe@email.com"


def give_contact(user: User, phone: str = NUMBER, email: str = ADDRESS) -> User:
    user.phone_sealed = vault.seal(PHONE, user.pk, phone)
    user.email_sealed = vault.seal(EMAIL, user.pk, email)
    user.save()
    return user


def make_owner(name: str = "Ada", **contact: str) -> User:
    return give_contact(make_customer(make_bank(), name), **contact)


def bearer(device: Device, **values: Any) -> Actor:
    """The device's owner, with a live token that is bound to it."""
    application = values.pop("application", None) or make_application(device.bank)
    token = find_token(make_token(user=device.owner, application=application, device=device))
    assert token is not None
    return customer_actor(device.owner, device, application_id=application.pk, token_id=token.pk, **values)


def make_sessions(device: Device, number: int) -> None:
    for _ in range(number):
        make_token(user=device.owner, device=device)


def pin_is(device: Device, pin: str) -> bool:
    kept = DevicePin.objects.get(device=device).digest
    return check_pin(pin, kept, device.pk.bytes, settings.PIN_PEPPERS)


def failures_of(device: Device) -> int:
    return DevicePin.objects.get(device=device).failures


def events() -> list[tuple[str, str, str]]:
    """Everything in the log, in order: event, outcome, rule."""
    rows = AuditEvent.objects.order_by("id").values_list("event", "outcome", "code")
    return [(event, outcome, code) for event, outcome, code in rows]


def stored() -> list[Any]:
    """Every row that an operation on PINs may touch."""
    models = (Device, DevicePin, PinReset, AccessToken, RefreshToken, Message)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


@contextmanager
def refused(error: type[DomainError], code: str, *fields: str) -> Iterator[None]:
    """What is done inside is refused by this rule (at these fields), changes nothing, and the door writes it down."""
    before, written = stored(), events()
    with pytest.raises(error) as told:
        yield
    assert (told.value.code, told.value.audited) == (code, False)
    assert tuple(problem.field for problem in getattr(told.value, "fields", ())) == fields
    assert stored() == before
    assert events() == written


def sent() -> list[tuple[str, str, str, str]]:
    """Messages in the order they were written: template, kind, to whom, text."""
    return [
        (
            message.template,
            message.kind,
            vault.unseal(RECIPIENT, message.pk, message.recipient_sealed),
            vault.unseal(BODY, message.pk, message.body_sealed),
        )
        for message in Message.objects.order_by("id")
    ]


def last_code() -> str:
    """The code in the latest message that holds one."""
    [*_, text] = [text for template, _, _, text in sent() if template == "pin-reset-code"]
    found = re.search(r"(?<![0-9])[0-9]{8}(?![0-9])", text)
    assert found is not None
    return found[0]
