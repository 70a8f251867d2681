"""Asking, asking again, and being asked too often."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_bank,
    make_card,
    make_customer,
    make_device,
    make_key,
    make_staff,
    make_token,
    staff_actor,
)
from portal.accounts.models import AccessToken
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.errors import DomainError, Forbidden, InvalidInput, InvalidState, NotFound, RateLimited
from portal.outbox.models import Message
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.asking import ask_again
from twofa.operations.contents import content_of, message_of
from twofa.shown_operations import FACTS, shown_operation
from twofa.tests.asking import PAYMENT, SIGN_IN, Scene, bound, events, make_phone, rows, server_of, signed

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@contextmanager
def nothing_changes() -> Iterator[None]:
    before = (rows(), events(), Message.objects.count())
    yield
    assert (rows(), events(), Message.objects.count()) == before


# Asking.


def test_a_request_waits_for_the_phone(scene: Scene) -> None:
    asked = scene.ask(text="Hello")
    request = TwoFactorRequest.objects.get()
    assert asked.number == ""
    assert (request.account, request.application, request.source) == (scene.ada, scene.application, None)
    assert (request.destination, request.kind, request.proof) == (scene.phone, "sign-in", "signature")
    assert (request.state, request.rounds, request.session) == ("pending", 1, None)
    assert request.expires_at - request.requested_at == pytest.approx(
        timedelta(seconds=180), abs=timedelta(seconds=2)
    )
    assert request.cap_at - request.requested_at == timedelta(seconds=600)
    assert content_of(request).operation == {"type": "sign-in", "signIn": SIGN_IN}
    assert "Seoul" not in request.content_sealed + request.message_sealed
    assert json.loads(message_of(request))["text"] == "Hello"
    [event] = AuditEvent.objects.all()
    assert (event.event, event.object_id, event.actor_label) == (
        "two-factor.requested",
        str(request.pk),
        "core banking",
    )
    assert "Seoul" not in event.data


def test_the_customers_number_names_her_too(scene: Scene) -> None:
    assert scene.ask(account_id=scene.ada.customer_number).request.account == scene.ada


@pytest.mark.parametrize("seconds", [30, 600])
def test_each_client_has_its_own_lifetime(seconds: int) -> None:
    with time_machine.travel(START, tick=False):
        request = Scene(rules={"request_seconds": seconds}).ask().request
    assert request.expires_at == START + timedelta(seconds=seconds)


def test_only_a_banks_server_asks(scene: Scene) -> None:
    from twofa.operations.asking import request_two_factor

    staff = staff_actor(make_staff(scene.ada.bank))
    for actor in (scene.owner, customer_actor(scene.ada), staff):
        with nothing_changes(), pytest.raises(Forbidden):
            request_two_factor(actor=actor, account_id=scene.ada.public_id, kind="sign-in", facts=SIGN_IN)


def test_other_banks_customers_and_unknown_ones_look_the_same(scene: Scene) -> None:
    stranger = make_customer(make_bank(), "Cem")
    told = set()
    for account_id in (stranger.public_id, ids.spell("USR", ids.new_id()), "C999999", "", "x" * 64):
        with nothing_changes(), pytest.raises(Forbidden) as refused:
            scene.ask(account_id=account_id)
        told.add((refused.value.code, refused.value.message))
    assert len(told) == 1


def test_a_suspended_customer_is_not_asked(scene: Scene) -> None:
    type(scene.ada).objects.update(is_active=False)
    with nothing_changes(), pytest.raises(InvalidState) as refused:
        scene.ask()
    assert refused.value.code == "customer-suspended"


# What is asked.


@pytest.mark.parametrize(
    ("kind", "facts", "field", "code"),
    [
        ("transfer", {}, "user_op_info.type", "unknown-enum"),
        ("sign-in", {"email": "", "ip": ""}, "user_op_info.sign_in.location", "required"),
        ("sign-in", {**SIGN_IN, "email": "x" * 255}, "user_op_info.sign_in.email", "max-length"),
        ("sign-in", {**SIGN_IN, "ip": "x" * 46}, "user_op_info.sign_in.ip", "max-length"),
        ("sign-in", {**SIGN_IN, "location": "a\nb"}, "user_op_info.sign_in.location", "invalid-format"),
        ("sign-in", {**SIGN_IN, "location": "Seoul\u202e"}, "user_op_info.sign_in.location", "invalid-format"),
        ("sign-in", {**SIGN_IN, "more": "x"}, "user_op_info.sign_in.more", "unknown-field"),
        ("payment", {**PAYMENT, "amount": "12,50"}, "user_op_info.payment.amount", "invalid-format"),
        ("payment", {**PAYMENT, "amount": "-1"}, "user_op_info.payment.amount", "invalid-format"),
        ("payment", {**PAYMENT, "amount": "٣"}, "user_op_info.payment.amount", "invalid-format"),
        ("payment", {**PAYMENT, "currency": "eur"}, "user_op_info.payment.currency", "invalid-format"),
        ("payment", {**PAYMENT, "payee": " "}, "user_op_info.payment.payee", "required"),
        ("payment", {**PAYMENT, "reference": "x" * 141}, "user_op_info.payment.reference", "max-length"),
        ("device-transfer", {"device": "Phone"}, "user_op_info.device_transfer.recipient", "required"),
    ],
)
def test_what_is_asked_has_a_form(kind: str, facts: dict[str, str], field: str, code: str, scene: Scene) -> None:
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        scene.ask(kind=kind, facts=facts)
    assert [(one.field, one.code) for one in refused.value.fields] == [(field, code)]


def test_every_type_is_shown_under_its_own_name() -> None:
    assert shown_operation("sign-in", dict.fromkeys(FACTS["sign-in"], "")) == {
        "type": "sign-in",
        "signIn": {"email": "", "ip": "", "location": ""},
    }
    assert shown_operation("payment", PAYMENT) == {"type": "payment", "payment": PAYMENT}
    moved = {"device": "Phone", "recipient": "Cem"}
    assert shown_operation("device-transfer", moved) == {"type": "device-transfer", "deviceTransfer": moved}


def test_a_message_has_four_kibibytes(scene: Scene) -> None:
    scene.ask(text="ä" * 2048)
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        scene.ask(text="ä" * 2048 + "a")
    assert [(one.field, one.code) for one in refused.value.fields] == [("message", "max-length")]


# Who is asked.


def test_the_device_heard_of_last_is_asked(scene: Scene) -> None:
    now = clock.now()
    Device.objects.filter(pk=scene.phone.pk).update(last_activity_at=now - timedelta(hours=2))
    latest = make_phone(scene.ada, "latest", last_activity_at=now - timedelta(hours=1))
    make_phone(scene.ada, "never", last_activity_at=None)
    make_phone(scene.ada, "off", status=DeviceStatus.INACTIVE, last_activity_at=now)
    make_device(scene.ada, last_activity_at=now)  # it has no key
    make_key(make_device(scene.ada, last_activity_at=now), "unproved", proved=False)
    assert scene.ask().request.destination == latest
    assert scene.ask(source_id=str(latest.pk)).request.destination == scene.phone


def test_who_has_no_other_device_cannot_be_asked(scene: Scene) -> None:
    for values in ({"source_id": str(scene.phone.pk)}, {"account_id": make_customer(scene.ada.bank).public_id}):
        with nothing_changes(), pytest.raises(InvalidState) as refused:
            scene.ask(**values)
        assert refused.value.code == "no-approval-device"


def unfit(scene: Scene) -> list[tuple[str, str]]:
    """Devices that cannot be asked, and the rule."""
    return [
        (str(make_phone(make_customer(scene.ada.bank, "Cem"), "cem").pk), "not-found"),
        (str(ids.new_id()), "not-found"),
        (str(make_card(scene.ada).pk), "not-found"),
        (str(make_phone(scene.ada, "off", status=DeviceStatus.BLOCKED).pk), "device-not-active"),
        (str(make_phone(scene.ada, "new", status=DeviceStatus.PENDING).pk), "device-not-active"),
        (str(make_device(scene.ada).pk), "no-approval-key"),
    ]


def test_not_every_device_can_be_asked(scene: Scene) -> None:
    for device_id, code in unfit(scene):
        with nothing_changes(), pytest.raises(DomainError) as refused:
            scene.ask(destination_id=device_id)
        assert refused.value.code == code


def test_the_source_is_never_asked(scene: Scene) -> None:
    make_phone(scene.ada, "other")
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        scene.ask(source_id=str(scene.phone.pk), destination_id=scene.phone.public_id)
    assert [(one.field, one.code) for one in refused.value.fields] == [("dest_device_id", "is-the-source")]


def test_the_source_is_a_device_of_the_customer_that_is_in_use(scene: Scene) -> None:
    cem = make_device(make_customer(scene.ada.bank, "Cem"))
    off = make_device(scene.ada, DeviceStatus.BLOCKED)
    for source, error in ((cem, NotFound), (off, InvalidState)):
        with nothing_changes(), pytest.raises(error):
            scene.ask(source_id=str(source.pk))


def test_the_source_is_described_without_its_push_token(scene: Scene) -> None:
    source = make_device(scene.ada, nickname="Tablet", kind="tablet", push_handle="secret-handle")
    request = scene.ask(source_id=source.public_id).request
    shown = json.loads(message_of(request))["srcDevice"]
    assert (shown["id"], shown["name"], shown["type"]) == (str(source.pk), "Tablet", "tablet")
    assert "secret-handle" not in message_of(request)


# Asking again.


def test_asking_again_is_a_new_round(scene: Scene) -> None:
    other = make_phone(scene.ada, "other")
    asked = scene.ask(destination_id=str(scene.phone.pk)).request
    again = ask_again(actor=scene.server, id=str(asked.pk), destination_id=str(other.pk)).request
    row = TwoFactorRequest.objects.get()
    assert (row.pk, row.destination, row.rounds) == (asked.pk, other, 2)
    assert row.request_id == again.request_id != asked.request_id
    first, second = (json.loads(message_of(one)) for one in (asked, row))
    assert first["nonce"] != second["nonce"]
    assert second["requestId"] == str(row.request_id)
    assert second["destDevice"]["id"] == str(other.pk)
    assert events()[-1] == ("two-factor.repeated", "done", "")
    with pytest.raises(NotFound):  # its first destination has nothing to do with it any more
        approve_request(actor=bound(scene.phone), id=str(asked.pk), signature=signed(asked))
    assert approve_request(actor=bound(other), id=str(asked.pk), signature=signed(row, "other")).state == "approved"


def test_it_never_lasts_past_the_first_cap() -> None:
    with time_machine.travel(START, tick=False) as clock_hand:
        scene = Scene(rules={"request_seconds": 300})
        request = scene.ask().request
        ends = []
        for seconds in (200, 400, 590):
            clock_hand.move_to(START + timedelta(seconds=seconds))
            ask_again(actor=scene.server, id=str(request.pk), destination_id=str(scene.phone.pk))
            ends.append((TwoFactorRequest.objects.get().expires_at - START).total_seconds())
        assert ends == [500, 600, 600]
        clock_hand.move_to(START + timedelta(seconds=600))
        with nothing_changes(), pytest.raises(InvalidState) as refused:
            ask_again(actor=scene.server, id=str(request.pk), destination_id=str(scene.phone.pk))
        assert refused.value.code == "request-expired"


def test_only_the_side_that_waits_asks_again(scene: Scene) -> None:
    source = make_device(scene.ada)
    third = make_phone(scene.ada, "third")
    request = scene.ask(source_id=str(source.pk), destination_id=str(scene.phone.pk)).request
    other_server = server_of(make_application(scene.ada.bank, kind="bank"))
    for actor, error in [
        (scene.owner, Forbidden),
        (bound(third), NotFound),
        (customer_actor(scene.ada), Forbidden),
        (other_server, NotFound),
        (bank_actor(make_bank()), NotFound),
    ]:
        with nothing_changes(), pytest.raises(error):
            ask_again(actor=actor, id=str(request.pk), destination_id=str(third.pk))
    ask_again(actor=bound(source), id=str(request.pk), destination_id=str(third.pk))
    assert TwoFactorRequest.objects.get().destination == third


def test_the_session_that_waits_asks_again(scene: Scene) -> None:
    request = scene.ask().request
    make_token(user=scene.ada)
    token = AccessToken.objects.get()
    TwoFactorRequest.objects.update(session=token)
    actor = customer_actor(scene.ada, token_id=token.pk)
    assert ask_again(actor=actor, id=str(request.pk), destination_id=str(scene.phone.pk)).request.rounds == 1
    assert TwoFactorRequest.objects.get().rounds == 2


def test_it_is_asked_again_of_no_unfit_device(scene: Scene) -> None:
    source = make_phone(scene.ada, "source")
    request = scene.ask(source_id=str(source.pk), destination_id=str(scene.phone.pk)).request
    for device_id, code in [*unfit(scene), (str(source.pk), "invalid-input")]:
        with nothing_changes(), pytest.raises(DomainError) as refused:
            ask_again(actor=scene.server, id=str(request.pk), destination_id=device_id)
        assert refused.value.code == code


def test_a_closed_request_is_not_asked_again(scene: Scene) -> None:
    request = scene.ask().request
    deny_request(actor=scene.owner, id=str(request.pk))
    with nothing_changes(), pytest.raises(DomainError) as refused:
        ask_again(actor=scene.server, id=str(request.pk), destination_id=str(scene.phone.pk))
    assert refused.value.code == "request-closed"


def test_a_new_round_has_a_new_number() -> None:
    scene = Scene(rules={"number_matching": True})
    first = scene.ask()
    digests = {first.request.number_digest}
    for _ in range(3):
        again = ask_again(actor=scene.server, id=str(first.request.pk), destination_id=str(scene.phone.pk))
        assert len(again.number) == 2
        digests.add(again.request.number_digest)
    assert len(digests) == 4


# Too often.


def refused_as_too_many(ask: Any) -> RateLimited:
    with pytest.raises(RateLimited) as refused:
        ask()
    assert refused.value.code == "too-many-requests"
    return refused.value


def test_the_sixth_that_is_not_approved_is_refused_and_raises_one_alert(scene: Scene) -> None:
    with time_machine.travel(START, tick=False) as clock_hand:
        first = scene.ask().request
        deny_request(actor=scene.owner, id=str(first.pk))
        for seconds in (60, 120, 180, 240):
            clock_hand.move_to(START + timedelta(seconds=seconds))
            scene.ask()
        clock_hand.move_to(START + timedelta(seconds=241))
        before, written = rows(), len(events())
        refusal = refused_as_too_many(scene.ask)
        assert (refusal.retry_after, refusal.audited) == (360, True)
        assert events()[written:] == [("two-factor.alert", "refused", "too-many-requests")]
        refusal = refused_as_too_many(scene.ask)
        assert (refusal.audited, len(events())) == (False, written + 1)  # the door writes that one
        told = [{**row, "alerted_at": None} for row in rows()]
        assert told == before
        clock_hand.move_to(START + timedelta(seconds=601))
        scene.ask()


def test_approved_ones_do_not_count(scene: Scene) -> None:
    for _ in range(7):
        request = scene.ask().request
        approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request))


def test_each_repetition_counts(scene: Scene) -> None:
    request = scene.ask().request
    for _ in range(4):
        ask_again(actor=scene.server, id=str(request.pk), destination_id=str(scene.phone.pk))
    refused_as_too_many(lambda: ask_again(actor=scene.server, id=str(request.pk), destination_id=str(scene.phone.pk)))
    refused_as_too_many(scene.ask)
    assert events().count(("two-factor.alert", "refused", "too-many-requests")) == 1


def test_every_customer_has_a_budget_of_their_own(scene: Scene) -> None:
    for _ in range(5):
        scene.ask()
    cem = make_customer(scene.ada.bank, "Cem")
    make_phone(cem, "cem")
    scene.ask(account_id=cem.public_id)
