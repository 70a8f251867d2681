"""Reporting a device lost: arguments in, statuses out."""

from typing import Any

import pytest

from devices.models import Device, IssuedDetails
from devices.states import DeviceStatus
from devices.tests.factories import (
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
)
from portal.accounts.models import AccessToken, Bank, User
from portal.accounts.roles import Role
from portal.api.tests.doors import ASSECO, Caller, at_most, refused_once
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
ISSUED = "/v1/device/issued-devices"
PREFER = {"Prefer": "return=representation"}


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


def make_card(owner: User, **values: Any) -> Device:
    card = make_device(owner, kind="payment-card", external_id="", **values)
    IssuedDetails.objects.create(
        device=card,
        bank=card.bank,
        card_kind="debit-card",
        card_brand="Visa",
        number_start="411111",
        number_end="1111",
    )
    return card


def test_the_owner_reports_a_phone_and_every_session_on_it_ends(ada: User) -> None:
    phone = make_device(ada, external_id="352099001769876")
    make_token(user=ada, device=phone)
    caller = Caller(make_token(user=ada))
    answer = caller.post(f"{ASSECO}/352099001769876/report-lost")
    assert (answer.status_code, answer.content) == (204, b"")
    phone.refresh_from_db()
    assert (phone.status, phone.held_by, phone.lost_at is not None) == (DeviceStatus.BLOCKED, "bank", True)
    assert AccessToken.objects.live().filter(device=phone).count() == 0
    event = AuditEvent.objects.get()
    assert (event.event, event.actor_label, event.channel) == ("device.lost", "Ada", "asseco")
    assert caller.get(f"{ASSECO}/352099001769876").json()["status"] == "blocked"


def test_a_lost_card_is_told_as_lost(ada: User) -> None:
    card = make_card(ada)
    caller = Caller(make_token(user=ada))
    answer = caller.post(f"{ISSUED}/{card.pk}/report-lost", **PREFER)
    assert answer.status_code == 200
    assert (answer.json()["device-id"], answer.json()["card-status"]) == (str(card.pk), "reported-as-lost")
    assert caller.get(f"{ISSUED}/{card.pk}").json()["card-status"] == "reported-as-lost"


def test_a_repeat_is_the_same_answer_and_no_second_event(ada: User) -> None:
    phone = make_device(ada)
    caller = Caller(make_token(user=ada))
    answers = [caller.post(f"{ASSECO}/{phone.pk}/report-lost").status_code for _ in range(2)]
    assert answers == [204, 204]
    assert AuditEvent.objects.count() == 1


def test_the_banks_server_and_staff_report_for_a_customer(ada: User, bank: Bank) -> None:
    server = Caller(make_token(application=make_application(bank, "bank")))
    assert server.post(f"{ASSECO}/{make_device(ada).pk}/report-lost", {"reason": "She called"}).status_code == 204
    person = make_staff(bank)
    bea = Caller(make_token(user=person))
    phone = make_device(ada)
    with refused_once("invalid-input", who=f"Bea ({person.username})"):
        answer = bea.post(f"{ASSECO}/{phone.pk}/report-lost")
    assert (answer.status_code, answer.json()["errors"][0]["tag"]) == (400, "reason")
    assert bea.post(f"{ASSECO}/{phone.pk}/report-lost", {"reason": "She called"}).status_code == 204


def test_each_door_knows_its_own_category_only(ada: User) -> None:
    phone, card = make_device(ada), make_card(ada)
    caller = Caller(make_token(user=ada))
    for path in (f"{ISSUED}/{phone.pk}/report-lost", f"{ASSECO}/{card.pk}/report-lost"):
        with refused_once("not-found", who="Ada"):
            assert caller.post(path).status_code == 404


def test_foreign_and_unknown_are_one_answer(ada: User, bank: Bank) -> None:
    phone, card = make_device(ada), make_card(ada)
    cem = Caller(make_token(user=make_customer(bank, "Cem")))
    other = Caller(make_token(application=make_application(make_bank(), "bank", name="Other")))
    bodies = set()
    for caller, who in ((cem, "Cem"), (other, "Other")):
        for path in (f"{ASSECO}/{phone.pk}", f"{ASSECO}/nothing", f"{ISSUED}/{card.pk}", f"{ISSUED}/nothing"):
            with refused_once("not-found", who=who):
                answer = caller.post(f"{path}/report-lost")
            assert answer.status_code == 404
            bodies.add(answer.content)
    assert len(bodies) == 1


def test_a_role_without_the_right_is_refused_whether_or_not_it_exists(ada: User, bank: Bank) -> None:
    person = make_staff(bank, Role.SUPPORT, "Sam")
    sam = Caller(make_token(user=person))
    for name in (make_device(ada).pk, "nothing"):
        with refused_once("capability-missing", who=f"Sam ({person.username})"):
            assert sam.post(f"{ASSECO}/{name}/report-lost", {"reason": "please"}).status_code == 403


def test_a_retired_device_is_a_broken_business_rule(ada: User) -> None:
    phone = make_device(ada, DeviceStatus.RETIRED)
    with refused_once("device-status-not-valid", who="Ada"):
        answer = Caller(make_token(user=ada)).post(f"{ASSECO}/{phone.pk}/report-lost")
    assert (answer.status_code, answer.json()["problem"]) == (440, "device-status-not-valid")


def test_a_customer_gets_a_lost_device_back_by_no_door(ada: User) -> None:
    phone = make_device(ada, external_id="352099001769876")
    caller = Caller(make_token(user=ada))
    caller.post(f"{ASSECO}/{phone.pk}/report-lost")
    for step in ("unblock", "unregister"):
        with refused_once("device-status-not-valid", who="Ada"):
            assert caller.post(f"{ASSECO}/{phone.pk}/{step}").status_code == 440
    with refused_once("device-status-not-valid", who="Ada"):
        again = caller.post(ASSECO, {"external-device-identifier": "352099001769876"})
    assert again.status_code == 440


def test_it_takes_few_queries(ada: User) -> None:
    phone = make_device(ada)
    caller = Caller(make_token(user=ada))
    with at_most(14):
        assert caller.post(f"{ASSECO}/{phone.pk}/report-lost").status_code == 204
