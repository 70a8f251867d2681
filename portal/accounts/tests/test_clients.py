"""Making API clients, and where they may call from."""

import pytest

from devices.tests.factories import make_bank, make_staff
from portal.accounts.hashers import ClientSecretHasher
from portal.accounts.models import Application, Bank
from portal.accounts.operations.clients import app_secret_digest, create_application
from portal.accounts.policies import ip_allowed
from portal.accounts.roles import Role
from portal.accounts.tests.people import SYSTEM, events, make_client, signed_in
from portal.audit.models import AuditEvent
from portal.core.errors import Forbidden, InvalidInput

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
        assert row.app_secret_digest == app_secret_digest(row, created.app_secret)
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
