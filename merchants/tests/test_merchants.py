"""What a bank decides about its merchants: alone, or by two people."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from devices.tests.factories import bank_actor, make_application, make_bank, make_staff, make_token, staff_actor
from merchants.models import BUDGET, MOST, Merchant
from merchants.operations.merchants import (
    create_merchant,
    resume_merchant,
    set_budget,
    set_plain_ids,
    suspend_merchant,
)
from merchants.states import AlertKind
from merchants.tests.factories import make_alert
from merchants.tests.shop import Shop, refused, told, written
from portal.accounts.models import Application, User
from portal.accounts.operations.suspension import suspend_client
from portal.accounts.roles import Role
from portal.accounts.tokens import find_token, reason_dead
from portal.approvals import registry
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import approve, stored
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import (
    ApprovalRequired,
    DomainError,
    Forbidden,
    InvalidInput,
    InvalidState,
    NotFound,
    SecondPersonNeeded,
)

WHY = "The till is new"

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def oda(shop: Shop) -> Actor:
    return staff_actor(make_staff(shop.bank, Role.SECURITY_OFFICER, "Oda"))


@pytest.fixture
def admin(shop: Shop) -> Actor:
    return staff_actor(make_staff(shop.bank, Role.ADMINISTRATOR, "Ann"))


@pytest.fixture
def avi(shop: Shop) -> User:
    return make_staff(shop.bank, Role.APPROVER, "Avi")


def asked(work: Callable[[], object]) -> ApprovalRequest:
    with pytest.raises(ApprovalRequired) as waits:
        work()
    return stored(waits.value.request_id)


def preview_of(actor: Actor, request: ApprovalRequest, **arguments: Any) -> str:
    known = registry.registered(request.operation)
    assert known is not None
    ((_, text),) = known.entry.preview(actor, arguments)
    return text


def now(shop: Shop) -> Merchant:
    return Merchant.objects.select_related("application").get(pk=shop.merchant.pk)


def changes() -> list[tuple[Any, Any, str]]:
    """What the merchant's events say it was before and is after, and why."""
    events = AuditEvent.objects.filter(event="merchant.changed").order_by("id")
    data = [(json.loads(event.data), event.reason) for event in events]
    return [(parts["before"], parts["after"], reason) for parts, reason in data]


# Made.


def test_a_new_merchant_looks_up_and_nothing_else(shop: Shop, admin: Actor) -> None:
    made = create_merchant(actor=admin, bank=shop.bank, name="Kiosk", allowed_ips=["192.0.2.0/24"])
    client = Application.objects.get(pk=made.application.pk)
    assert (client.kind, client.dialects, client.allowed_scopes, client.allowed_ips) == (
        "merchant",
        ["peere"],
        ["phrases:lookup"],
        ["192.0.2.0/24"],
    )
    assert (len(made.client_secret) > 40, made.app_secret, made.sign_secret) == (True, "", "")
    merchant = client.merchant
    assert (merchant.bank_id, merchant.budget, merchant.budget_now, merchant.plain_ids) == (
        shop.bank.pk,
        BUDGET,
        BUDGET,
        False,
    )
    assert written() == [("client.created", "done", "")]


def test_who_manages_clients_makes_merchants_of_their_own_bank(shop: Shop, oda: Actor, admin: Actor) -> None:
    for actor, bank, name, error in (
        (oda, shop.bank, "Kiosk", Forbidden),
        (admin, make_bank(), "Kiosk", Forbidden),
        (admin, shop.bank, " ", InvalidInput),
        (shop.actor, shop.bank, "Kiosk", Forbidden),
    ):
        with refused(error):
            create_merchant(actor=actor, bank=bank, name=name)


# Suspended, and let in again.


def test_one_person_suspends_and_its_tokens_are_dead_at_once(shop: Shop, oda: Actor) -> None:
    raw = make_token(application=shop.merchant.application)
    for _ in range(2):  # the repeat is quiet
        assert suspend_merchant(actor=oda, client_id=shop.client_id, reason=WHY).application.suspended_at
        token = find_token(raw)
        assert token is not None
        assert reason_dead(token) == "client-suspended"
    assert written() == [("client.suspended", "done", "")]


def test_two_people_let_it_in_again(shop: Shop, oda: Actor, avi: User) -> None:
    raw = make_token(application=shop.merchant.application)
    suspend_merchant(actor=oda, client_id=shop.client_id, reason=WHY)
    request = asked(lambda: resume_merchant(actor=oda, client_id=shop.client_id, reason=WHY))
    assert now(shop).application.suspended_at is not None
    assert (request.operation, request.object_label) == ("merchant.resume", "Shop")
    told_before = preview_of(oda, request, client_id=shop.client_id)
    assert told_before == "Shop may look customers up again, and miss 100 an hour."
    assert approve(avi, request).state == "DONE"
    assert now(shop).application.suspended_at is None
    token = find_token(raw)
    assert token is not None
    assert reason_dead(token) is None
    assert preview_of(oda, request, client_id=shop.client_id) == "Nothing: it is so already."
    before = written()
    resume_merchant(actor=oda, client_id=shop.client_id, reason=WHY)  # it is in: nobody is asked
    assert written() == before
    resumed = AuditEvent.objects.get(event="client.resumed")
    assert resumed.actor_id == oda.id
    assert '"approval"' in resumed.data


def test_no_other_way_lets_it_in(shop: Shop, oda: Actor, admin: Actor) -> None:
    suspend_merchant(actor=oda, client_id=shop.client_id, reason=WHY)
    alone = (admin, Actor.system("suspend"), Actor.system("suspend", bank_id=shop.bank.pk))
    for actor in alone:
        with refused(InvalidState, "merchant-needs-two"):
            suspend_client(actor=actor, client_id=shop.client_id, suspended=False, reason=WHY)
    with refused(SecondPersonNeeded):
        resume_merchant(actor=Actor.system("suspend"), client_id=shop.client_id, reason=WHY)
    assert ApprovalRequest.objects.count() == 0


def test_the_clients_page_still_suspends_it_and_other_clients_come_back_there(shop: Shop, admin: Actor) -> None:
    server = make_application(shop.bank, "bank")
    suspend_client(actor=admin, client_id=shop.client_id, suspended=False, reason=WHY)  # it is in: quiet
    for client in (shop.merchant.application, server):
        suspend_client(actor=admin, client_id=client.client_id, suspended=True, reason=WHY)
    assert now(shop).application.suspended_at is not None
    suspend_client(actor=admin, client_id=server.client_id, suspended=False, reason=WHY)
    server.refresh_from_db()
    assert server.suspended_at is None


def test_whoever_asked_does_not_decide(shop: Shop, oda: Actor) -> None:
    suspend_merchant(actor=oda, client_id=shop.client_id, reason=WHY)
    request = asked(lambda: resume_merchant(actor=oda, client_id=shop.client_id, reason=WHY))
    with refused(Forbidden):
        approve(User.objects.get(username__startswith="oda"), request)
    assert now(shop).application.suspended_at is not None


# Its budget.


def test_a_budget_up_to_the_usual_is_one_persons(shop: Shop, oda: Actor) -> None:
    for budget in (1, 30, 30, 100):
        merchant = set_budget(actor=oda, client_id=shop.client_id, budget=budget, reason=WHY)
        assert (merchant.budget, merchant.budget_now) == (budget, budget)
    figures = [{"budget": value, "budget_now": value} for value in (100, 1, 30, 100)]
    assert changes() == [(before, after, WHY) for before, after in zip(figures, figures[1:], strict=False)]


def test_more_than_the_usual_takes_two_and_less_of_it_one(shop: Shop, oda: Actor, avi: User) -> None:
    def wanted(budget: int) -> Merchant:
        return set_budget(actor=oda, client_id=shop.client_id, budget=budget, reason=WHY)

    request = asked(lambda: wanted(5000))
    assert (now(shop).budget, changes()) == (100, [])
    text = preview_of(oda, request, client_id=shop.client_id, budget=5000)
    assert text == "Shop may miss 5000 an hour, not 100."
    approve(avi, request)
    assert (now(shop).budget, now(shop).budget_now) == (5000, 5000)
    assert preview_of(oda, request, client_id=shop.client_id, budget=5000) == "Nothing: it is so already."
    assert wanted(2000).budget == 2000
    asked(lambda: wanted(2001))
    assert now(shop).budget == 2000


def test_while_an_alert_is_open_what_is_left_stays_lessened(shop: Shop, oda: Actor) -> None:
    make_alert(shop.merchant, AlertKind.BUDGET)
    Merchant.objects.update(budget_now=50)
    for budget, left in ((80, 50), (30, 30), (100, 30)):
        set_budget(actor=oda, client_id=shop.client_id, budget=budget, reason=WHY)
        assert (now(shop).budget, now(shop).budget_now) == (budget, left)


@pytest.mark.parametrize("budget", [0, -1, MOST + 1])
def test_a_budget_has_bounds(shop: Shop, oda: Actor, budget: int) -> None:
    with refused(InvalidInput):
        set_budget(actor=oda, client_id=shop.client_id, budget=budget, reason=WHY)


# What it is told.


def test_customer_numbers_and_pseudonyms_are_two_peoples_decision(shop: Shop, oda: Actor, avi: User) -> None:
    number, pseudonym = shop.ada.customer_number, shop.ask().customer_id
    texts = {
        True: "Shop is told the bank's customer numbers, which it can compare with others.",
        False: "Shop is told pseudonyms again. What it was told before, it may still have.",
    }
    for plain, before, after in ((True, pseudonym, number), (False, number, pseudonym)):
        decide = partial(set_plain_ids, actor=oda, client_id=shop.client_id, plain=plain, reason=WHY)
        request = asked(decide)
        assert preview_of(oda, request, client_id=shop.client_id, plain=plain) == texts[plain]
        assert shop.ask().customer_id == before
        approve(avi, request)
        assert shop.ask().customer_id == after
        assert preview_of(oda, request, client_id=shop.client_id, plain=plain) == "Nothing: it is so already."
        decide()
    assert [(one, other) for one, other, _ in changes()] == [
        ({"plain_ids": False}, {"plain_ids": True}),
        ({"plain_ids": True}, {"plain_ids": False}),
    ]


# Who may.

STEPS: dict[str, tuple[Callable[..., object], dict[str, object]]] = {
    "suspend": (suspend_merchant, {}),
    "resume": (resume_merchant, {}),
    "budget": (set_budget, {"budget": 7}),
    "plain-ids": (set_plain_ids, {"plain": True}),
}


@pytest.mark.parametrize("step", STEPS)
def test_who_manages_the_banks_merchants_and_nobody_else(shop: Shop, oda: Actor, step: str) -> None:
    operation, values = STEPS[step]
    bank = shop.bank
    others = [
        staff_actor(make_staff(bank, role)) for role in (Role.SUPPORT, Role.OPERATOR, Role.APPROVER, Role.AUDITOR)
    ]
    strangers = [staff_actor(make_staff(make_bank(), role)) for role in (Role.SECURITY_OFFICER, Role.ADMINISTRATOR)]
    server = make_application(bank, "bank")
    tried: list[tuple[Actor, str, str, type[DomainError]]] = [
        *((actor, shop.client_id, WHY, Forbidden) for actor in (*others, shop.actor, bank_actor(bank))),
        *((actor, shop.client_id, WHY, NotFound) for actor in strangers),
        (oda, "nobody", WHY, NotFound),
        (oda, server.client_id, WHY, NotFound),
        (oda, shop.client_id, " ", InvalidInput),
    ]
    for actor, client_id, reason, error in tried:
        with refused(error):
            operation(actor=actor, client_id=client_id, reason=reason, **values)
    assert ApprovalRequest.objects.count() == 0


def test_of_a_client_without_a_merchants_row_the_preview_is_right(shop: Shop, oda: Actor, avi: User) -> None:
    bare = make_application(shop.bank, "merchant", name="Bare")
    request = asked(lambda: set_plain_ids(actor=oda, client_id=bare.client_id, plain=True, reason=WHY))
    assert not Merchant.objects.filter(pk=bare.pk).exists()
    assert preview_of(oda, request, client_id=bare.client_id, plain=True).startswith(
        "Bare is told the bank's customer"
    )
    approve(avi, request)
    assert Merchant.objects.get(pk=bare.pk).plain_ids


def test_a_client_without_a_merchants_row_gets_it_with_the_first_decision(shop: Shop, oda: Actor) -> None:
    bare = make_application(shop.bank, "merchant", name="Bare")
    assert told(lambda: set_budget(actor=oda, client_id=bare.client_id, budget=5, reason=WHY)) == ""
    assert Merchant.objects.get(pk=bare.pk).budget == 5
    assert [before for before, _, _ in changes()] == [{"budget": 100, "budget_now": 100}]
