"""Making API clients, and where they may call from."""

from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction

from devices.tests.factories import make_bank, make_customer, make_staff
from portal.accounts.hashers import ClientSecretHasher
from portal.accounts.models import Application, Bank
from portal.accounts.operations.clients import (
    app_secret_digest,
    application_of,
    create_application,
    is_app_secret,
    renew_app_secret,
)
from portal.accounts.operations.tokens import issue_token_pair
from portal.accounts.policies import ip_allowed
from portal.accounts.roles import Role
from portal.accounts.tests.people import HOUR, SYSTEM, events, make_client, signed_in
from portal.accounts.tokens import find_token, reason_dead
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import Forbidden, InvalidInput, InvalidState, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank("first")


@pytest.mark.parametrize("kind", ["bank", "merchant", "mobile"])
def test_the_secrets_are_long_shown_once_and_kept_as_digests(bank: Bank, kind: str) -> None:
    created = make_client(bank, kind)
    row = Application.objects.get()
    assert len(created.client_secret) == 128
    assert ClientSecretHasher().verify(created.client_secret, row.client_secret)
    assert bool(created.app_secret) == (kind == "mobile")
    if kind == "mobile":
        assert row.app_secret_digest == app_secret_digest(created.app_secret)
    kept = str(Application.objects.values().get()) + str(list(AuditEvent.objects.values()))
    assert created.client_secret not in kept
    assert not created.app_secret or created.app_secret not in kept
    assert events() == [("client.created", "")]


def test_lists_are_kept_sorted_and_networks_in_one_spelling(bank: Bank) -> None:
    made = create_application(
        actor=SYSTEM,
        bank=bank,
        kind="mobile",
        name=" App ",
        dialects=["spid", "asseco", "spid"],
        scopes=["pin", "devices"],
        allowed_ips=["192.0.2.1", "2001:db8::/32"],
    ).application
    assert (made.name, made.dialects, made.allowed_scopes) == ("App", ["asseco", "spid"], ["devices", "pin"])
    assert made.allowed_ips == ["192.0.2.1/32", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "robot"}, "kind"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"dialects": ["soap"]}, "dialects"),
        ({"scopes": ["devices"]}, "scopes"),
        ({"scopes": ["staff"]}, "scopes"),
        ({"allowed_ips": ["10.0.0.1/8"]}, "allowed_ips"),
        ({"allowed_ips": ["anywhere"]}, "allowed_ips"),
    ],
)
def test_an_unsound_client_is_not_made(bank: Bank, values: dict[str, object], field: str) -> None:
    good: dict[str, object] = {"kind": "bank", "name": "Core", "dialects": ["adiba"], "scopes": []}
    with pytest.raises(InvalidInput) as refused:
        create_application(actor=SYSTEM, bank=bank, **{**good, **values})  # type: ignore[arg-type]
    assert {problem.field for problem in refused.value.fields} == {field}
    assert Application.objects.count() == 0
    assert events() == []


def test_clients_are_the_administrators_business_in_the_own_bank(bank: Bank) -> None:
    values = {"kind": "bank", "name": "Core", "dialects": ["adiba"], "scopes": []}
    for role in set(Role) - {Role.ADMINISTRATOR}:
        with pytest.raises(Forbidden):
            create_application(actor=signed_in(make_staff(bank, role)), bank=bank, **values)  # type: ignore[arg-type]
    administrator = signed_in(make_staff(bank, Role.ADMINISTRATOR))
    with pytest.raises(Forbidden):
        create_application(actor=administrator, bank=make_bank(), **values)  # type: ignore[arg-type]
    assert Application.objects.count() == 0
    create_application(actor=administrator, bank=bank, **values)  # type: ignore[arg-type]
    assert Application.objects.count() == 1


# Renewing the app secret.


def test_a_new_app_secret_is_shown_once_and_the_old_one_is_unknown(bank: Bank) -> None:
    created = make_client(bank, "mobile")
    administrator = signed_in(make_staff(bank, Role.ADMINISTRATOR))
    known = {"actor": administrator, "client_id": created.application.client_id, "reason": "It was published"}
    renewed = renew_app_secret(**known)
    assert renewed.application == created.application
    assert len(renewed.app_secret) == 43
    assert application_of(renewed.app_secret) == created.application
    assert application_of(created.app_secret) is None
    kept = str(Application.objects.values().get()) + str(list(AuditEvent.objects.values()))
    assert renewed.app_secret not in kept
    assert events() == [("client.created", ""), ("client.changed", "")]
    assert renew_app_secret(**known).app_secret != renewed.app_secret
    assert len(events()) == 3


def test_no_two_clients_have_had_one_app_secret(bank: Bank) -> None:
    first, second = (make_client(bank, "mobile").application for _ in range(2))
    until = clock.now()
    before = {"app_secret_before": "d" * 64, "app_secret_before_until": until}
    Application.objects.filter(pk=first.pk).update(**before)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.filter(pk=second.pk).update(**before)


def test_the_old_app_secret_is_good_for_as_long_as_was_said(bank: Bank) -> None:
    created = make_client(bank, "mobile")
    administrator = signed_in(make_staff(bank, Role.ADMINISTRATOR))
    known = {"actor": administrator, "client_id": created.application.client_id, "reason": "A yearly change"}
    second = renew_app_secret(**known, days=30)
    row = Application.objects.get()
    for secret in (created.app_secret, second.app_secret):
        assert application_of(secret) == row
        assert is_app_secret(row, secret)
    with time_machine.travel(clock.now() + timedelta(days=30, seconds=1), tick=False):
        assert application_of(created.app_secret) is None
        assert not is_app_secret(row, created.app_secret)
        assert application_of(second.app_secret) == row
    third = renew_app_secret(**known, days=30)
    assert [bool(application_of(one.app_secret)) for one in (created, second, third)] == [False, True, True]
    fourth = renew_app_secret(**known)
    assert [bool(application_of(one.app_secret)) for one in (second, third, fourth)] == [False, False, True]
    assert not is_app_secret(Application.objects.get(), "")


@pytest.mark.parametrize("days", [-1, 366])
def test_an_app_secret_overlaps_for_a_year_at_most(bank: Bank, days: int) -> None:
    created = make_client(bank, "mobile")
    with pytest.raises(InvalidInput):
        renew_app_secret(actor=SYSTEM, client_id=created.application.client_id, reason="A yearly change", days=days)
    assert application_of(created.app_secret) == created.application


def test_sessions_outlive_the_app_secret(bank: Bank) -> None:
    created = make_client(bank, "mobile")
    pair = issue_token_pair(
        actor=SYSTEM, application=created.application, user=make_customer(bank), scopes=[], lifetime=HOUR
    )
    administrator = signed_in(make_staff(bank, Role.ADMINISTRATOR))
    renew_app_secret(actor=administrator, client_id=created.application.client_id, reason="It was published")
    token = find_token(pair.raw)
    assert token is not None
    assert reason_dead(token) is None


def test_only_administrators_of_the_bank_renew_an_app_secret(bank: Bank) -> None:
    created = make_client(bank, "mobile")
    wanted = {"client_id": created.application.client_id, "reason": "Why not"}
    for role in set(Role) - {Role.ADMINISTRATOR}:
        with pytest.raises(Forbidden):
            renew_app_secret(actor=signed_in(make_staff(bank, role)), **wanted)
    with pytest.raises(NotFound):
        renew_app_secret(actor=signed_in(make_staff(make_bank(), Role.ADMINISTRATOR)), **wanted)
    administrator = signed_in(make_staff(bank, Role.ADMINISTRATOR))
    with pytest.raises(InvalidInput):
        renew_app_secret(actor=administrator, **{**wanted, "reason": ""})
    server = make_client(bank, "bank").application.client_id
    with pytest.raises(InvalidState):
        renew_app_secret(actor=administrator, **{**wanted, "client_id": server})
    assert application_of(created.app_secret) == created.application
    assert events() == [("client.created", "")] * 2


@pytest.mark.parametrize(
    ("listed", "ip", "allowed"),
    [
        ([], "203.0.113.9", True),
        ([], "", True),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::9", True),
        (["192.0.2.0/24"], "2001:db8::9", False),
        (["192.0.2.0/24"], "", False),
        (["192.0.2.0/24"], "rubbish", False),
        (["rubbish", None, 7], "192.0.2.1", False),
        (["rubbish", "192.0.2.1"], "192.0.2.1", True),
    ],
)
def test_a_client_calls_from_the_networks_on_its_list(listed: list[object], ip: str, allowed: bool) -> None:
    assert ip_allowed(Application(allowed_ips=listed), ip) is allowed
