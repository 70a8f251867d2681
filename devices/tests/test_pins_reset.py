"""Asking for a reset, and starting one for an owner."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Kind, PinReset
from devices.operations.pin_resets import request_reset, start_reset
from devices.queries.pins import pin_state, reset_methods
from devices.states import DeviceStatus, ResetState
from devices.tests.factories import (
    bank_actor,
    make_application,
    make_customer,
    make_device,
    make_pin,
    make_staff,
    staff_actor,
)
from devices.tests.pinning import ADDRESS, NUMBER, bearer, events, give_contact, last_code, make_owner, refused, sent
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Forbidden, InvalidInput, InvalidState, NotFound, RateLimited
from portal.jobs import recorded
from portal.outbox.models import Message
from portal.outbox.operations import deliver

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ASKED = ("pin-reset.requested", "done", "")


@pytest.fixture
def phone() -> Device:
    device = make_device(make_owner())
    make_pin(device)
    return device


@pytest.fixture
def ada(phone: Device) -> User:
    return phone.owner


def ask(actor: Actor, device: Device | str, method: str = "SMS", **values: Any) -> PinReset:
    name = device if isinstance(device, str) else device.public_id
    given = {"known_phone": NUMBER} if method == "SMS" else {"known_email": ADDRESS}
    return request_reset(actor=actor, device_id=name, method=method, **{**given, **values})


def start(actor: Actor, device: Device | str, method: str = "SMS", reason: str = "She called") -> PinReset:
    name = device if isinstance(device, str) else device.public_id
    return start_reset(actor=actor, device_id=name, method=method, reason=reason)


# By the owner.


@pytest.mark.parametrize(("method", "kind", "to"), [("SMS", "sms", NUMBER), ("EMAIL", "email", ADDRESS)])
def test_a_code_goes_to_the_contact_on_file(method: str, kind: str, to: str, phone: Device) -> None:
    actor = bearer(phone)
    with time_machine.travel(NOON, tick=False):
        reset = ask(actor, phone, method)
    assert (reset.state, reset.method, reset.sent, reset.tries) == (ResetState.OPEN, method, True, 0)
    assert (reset.created_at, reset.expires_at) == (NOON, NOON + timedelta(minutes=60))
    assert (reset.owner, reset.application_id, reset.started_by) == (phone.owner, actor.application_id, None)
    [(template, sent_by, recipient, text)] = sent()
    assert (template, sent_by, recipient) == ("pin-reset-code", kind, to)
    assert re.findall(r"\b[0-9]{8}\b", text) == [last_code()]
    assert reset.public_id not in text
    assert "until 13:00 UTC" in text


def test_the_log_says_which_reset_and_neither_code_nor_contact(phone: Device) -> None:
    reset = ask(bearer(phone), phone)
    assert events() == [ASKED]
    event = AuditEvent.objects.get()
    assert event.object_id == str(phone.pk)
    assert reset.public_id in event.data
    assert last_code() not in event.data
    assert NUMBER[-4:] not in event.data


def test_the_code_is_kept_as_a_digest_of_this_reset(phone: Device) -> None:
    reset = ask(bearer(phone), phone)
    assert last_code() not in reset.code_digest
    assert len(reset.code_digest) == 64


@pytest.mark.parametrize(
    "known",
    [
        {"known_phone": "+234 801 234-5678"},
        {"known_phone": "+234.(801)/2345678", "known_email": " John.DOE@email.com "},
        {"known_phone": NUMBER, "known_email": "  "},
    ],
)
def test_ways_of_writing_a_contact_make_no_difference(known: dict[str, str], phone: Device) -> None:
    assert ask(bearer(phone), phone, **known).sent


@pytest.mark.parametrize(
    ("method", "known"),
    [
        ("SMS", {"known_phone": "+2348012345679"}),
        ("SMS", {"known_phone": NUMBER, "known_email": "jane.doe@email.com"}),
        ("EMAIL", {"known_email": "jane.doe@email.com"}),
        ("EMAIL", {"known_email": ADDRESS, "known_phone": "+2348012345679"}),
    ],
)
def test_who_knows_something_else_gets_the_same_answer_and_no_code(
    method: str, known: dict[str, str], phone: Device
) -> None:
    reset = ask(bearer(phone), phone, method, **known)
    assert (reset.state, reset.sent, reset.method) == (ResetState.OPEN, False, method)
    assert sent() == []
    assert events() == [ASKED]


def test_it_costs_the_same_whether_or_not_it_matched(phone: Device) -> None:
    actor, statements = bearer(phone), []
    for known in (NUMBER, "+2348012345679"):
        with CaptureQueriesContext(connection) as captured:
            ask(actor, phone, known_phone=known)
        statements.append([query["sql"].split()[0] for query in captured])
    right, wrong = statements
    assert [word for word in wrong if word != "ROLLBACK"] == right  # it is written, and taken back
    assert right.count("INSERT") == 3


@pytest.mark.parametrize(("known", "goes_out"), [(NUMBER, True), ("+2348012345679", False)])
def test_the_broker_is_rung_once_whether_or_not_it_matched(
    known: str, goes_out: bool, phone: Device, django_capture_on_commit_callbacks: Any
) -> None:
    actor = bearer(phone)
    with recorded() as rings:
        with django_capture_on_commit_callbacks(execute=True):
            ask(actor, phone, known_phone=known)
        [(task, message)] = rings
    assert task == "outbox.deliver"
    assert Message.objects.filter(pk=message).exists() is goes_out
    assert goes_out or deliver(message) is None


@pytest.mark.parametrize(("phone_on_file", "known"), [("", "nobody"), ("", "+1"), ("", "()"), (NUMBER, "()")])
def test_nobody_without_a_contact_on_file_gets_a_code(phone_on_file: str, known: str, phone: Device) -> None:
    give_contact(phone.owner, phone=phone_on_file, email="")
    assert not ask(bearer(phone), phone, known_phone=known).sent
    assert sent() == []


@pytest.mark.parametrize(("method", "field"), [("SMS", "known_phone"), ("EMAIL", "known_email")])
def test_the_contact_of_the_method_has_to_be_given(method: str, field: str, phone: Device) -> None:
    actor = bearer(phone)
    with refused(InvalidInput, "invalid-input", field):
        ask(actor, phone, method, **{field: " "})


def test_there_are_two_methods(phone: Device) -> None:
    actor = bearer(phone)
    with refused(InvalidInput, "invalid-input", "method"):
        ask(actor, phone, "PIGEON")


def test_a_newer_one_voids_the_older(phone: Device) -> None:
    actor = bearer(phone)
    first, second = ask(actor, phone), ask(actor, phone)
    first.refresh_from_db()
    assert (first.state, first.closed_at is not None) == (ResetState.VOID, True)
    assert pin_state(phone).open_reset == second
    assert PinReset.objects.filter(state=ResetState.OPEN).count() == 1


def test_an_older_one_that_ran_out_is_marked_so(phone: Device) -> None:
    actor = bearer(phone)
    first = ask(actor, phone)
    with time_machine.travel(clock.now() + timedelta(minutes=61)):
        ask(actor, phone)
    first.refresh_from_db()
    assert first.state == ResetState.EXPIRED


def test_five_an_hour_for_a_device_by_its_owner_and_five_by_staff(phone: Device) -> None:
    actor, bea = bearer(phone), staff_actor(make_staff(phone.bank))
    other = make_device(phone.owner)
    make_pin(other)
    with time_machine.travel(NOON, tick=False) as now:
        for _ in range(5):
            ask(actor, phone)
            now.shift(timedelta(minutes=8))
        with refused(RateLimited, "too-many-resets"):
            ask(actor, phone)
        for _ in range(5):
            start(bea, phone)
        with refused(RateLimited, "too-many-resets"):
            start(bea, phone)
        ask(bearer(other), other)
        now.shift(timedelta(minutes=20, seconds=1))
        ask(actor, phone)


def test_the_wait_is_told(phone: Device) -> None:
    actor = bearer(phone)
    with time_machine.travel(NOON, tick=False) as now:
        for _ in range(5):
            ask(actor, phone)
        now.shift(timedelta(minutes=20))
        with pytest.raises(RateLimited) as told:
            ask(actor, phone)
    assert told.value.retry_after == 40 * 60 + 1


def test_a_device_without_a_pin_has_none_to_reset(phone: Device, ada: User) -> None:
    bare = make_device(ada)
    actor, bea = bearer(bare), staff_actor(make_staff(ada.bank))
    with refused(InvalidState, "pin-not-set"):
        ask(actor, bare)
    with refused(InvalidState, "pin-not-set"):
        start(bea, bare)


@pytest.mark.parametrize("status", [status for status in DeviceStatus.values if status != DeviceStatus.ACTIVE])
def test_only_an_active_devices_pin_is_reset(status: str, phone: Device, ada: User) -> None:
    device = make_device(ada, status)
    make_pin(device)
    actor, bea = bearer(phone), staff_actor(make_staff(ada.bank))
    with refused(InvalidState, "device-not-active"):
        ask(actor, device)
    with refused(InvalidState, "device-not-active"):
        start(bea, device)


def test_foreign_and_unknown_devices_and_cards_are_not_found(phone: Device, ada: User) -> None:
    colleague, stranger = make_device(make_customer(ada.bank, "Bea")), make_device(make_owner("Cem"))
    card = make_device(ada, kind=Kind.PAYMENT_CARD, external_id="")
    actor, bea = bearer(phone), staff_actor(make_staff(ada.bank))
    for name in (colleague.public_id, stranger.public_id, card.public_id, "DEV_1", "unknown"):
        with refused(NotFound, "not-found"):
            ask(actor, name)
    for name in (stranger.public_id, card.public_id, "unknown"):
        with refused(NotFound, "not-found"):
            start(bea, name)


def test_the_user_named_has_to_be_oneself(phone: Device, ada: User) -> None:
    actor = bearer(phone)
    with refused(Forbidden, "identity-mismatch"):
        ask(actor, phone, user_id=make_customer(ada.bank, "Bea").public_id)
    assert ask(actor, phone, user_id=ada.public_id).owner == ada


def test_nobody_else_asks_in_the_owners_name(phone: Device) -> None:
    for actor in (staff_actor(make_staff(phone.bank)), bank_actor(phone.bank)):
        for device in (phone, "unknown"):
            with refused(Forbidden, "customer-only"):
                ask(actor, device)


# By staff.


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR])
def test_staff_start_one_and_the_message_names_it(role: Role, phone: Device) -> None:
    bea = make_staff(phone.bank, role)
    reset = start(staff_actor(bea), phone)
    assert (reset.application, reset.started_by, reset.owner, reset.sent) == (None, bea, phone.owner, True)
    [(_, kind, recipient, text)] = sent()
    assert (kind, recipient) == ("sms", NUMBER)
    assert reset.public_id in text
    assert last_code() in text
    event = AuditEvent.objects.get()
    assert (event.event, event.reason, event.actor_id) == ("pin-reset.requested", "She called", str(bea.pk))


@pytest.mark.parametrize("role", [Role.APPROVER, Role.SECURITY_OFFICER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_other_roles_do_not_whether_or_not_there_is_a_device(role: Role, phone: Device) -> None:
    actor = staff_actor(make_staff(phone.bank, role))
    for device in (phone, "unknown"):
        with refused(Forbidden, "capability-missing"):
            start(actor, device)


def test_only_staff_start_one(phone: Device) -> None:
    for actor in (bearer(phone), bank_actor(phone.bank)):
        with refused(Forbidden, "staff-only"):
            start(actor, phone)


def test_staff_say_why(phone: Device) -> None:
    actor = staff_actor(make_staff(phone.bank))
    with refused(InvalidInput, "invalid-input", "reason"):
        start(actor, phone, reason=" ")


def test_staff_are_told_where_there_is_no_contact(phone: Device) -> None:
    give_contact(phone.owner, phone="", email=ADDRESS)
    actor = staff_actor(make_staff(phone.bank))
    assert reset_methods(phone.owner) == ["EMAIL"]
    with refused(InvalidState, "no-contact"):
        start(actor, phone, "SMS")
    assert start(actor, phone, "EMAIL").sent


def test_the_bank_may_want_a_second_person(phone: Device) -> None:
    ApprovalPolicy.objects.create(
        bank=phone.bank, required=["pin.start-reset"], bulk_threshold=10, updated_at=clock.now()
    )
    with pytest.raises(ApprovalRequired):
        start(staff_actor(make_staff(phone.bank)), phone)
    assert (PinReset.objects.count(), Message.objects.count()) == (0, 0)
    assert ApprovalRequest.objects.get().operation == "pin.start-reset"
    actor = bearer(phone, application=make_application(phone.bank))
    assert ask(actor, phone).sent  # the owner needs nobody
