"""Suspending people and clients, at a shell too."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from devices.tests.factories import make_application, make_bank, make_customer, make_staff, make_token, staff_actor
from portal.accounts.models import Application, Bank, PortalSession, User
from portal.accounts.operations.people import contact_of
from portal.accounts.operations.sign_in import check_password
from portal.accounts.operations.suspension import suspend_client, suspend_person
from portal.accounts.roles import Role
from portal.accounts.tokens import find_token, reason_dead
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Channel
from portal.core.errors import Forbidden, InvalidInput, NotFound
from portal.web.tests.helpers import signed_in_client

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def dead(raw: str) -> str | None:
    token = find_token(raw)
    assert token is not None
    return reason_dead(token)


def test_a_suspended_clients_tokens_stop_and_work_again_after() -> None:
    bank = make_bank()
    client = make_application(bank, "bank")
    raw = make_token(application=client)
    actor = staff_actor(make_staff(bank, Role.ADMINISTRATOR))
    for _ in range(2):
        suspend_client(actor=actor, client_id=client.client_id, suspended=True, reason="Key leaked")
        assert dead(raw) == "client-suspended"
    suspend_client(actor=actor, client_id=client.client_id, suspended=False, reason="Key changed")
    assert dead(raw) is None
    events = AuditEvent.objects.order_by("id").values_list("event", "reason")
    assert list(events) == [("client.suspended", "Key leaked"), ("client.resumed", "Key changed")]


def test_no_command_lets_a_merchant_in_again() -> None:
    shop = make_application(make_bank(), "merchant")
    run("suspend", "--client", shop.client_id, "--reason", "Leaked")
    with pytest.raises(CommandError, match="by two people"):
        run("suspend", "--client", shop.client_id, "--reason", "Over", "--lift")
    shop.refresh_from_db()
    assert shop.suspended_at is not None
    assert list(AuditEvent.objects.values_list("event", flat=True)) == ["client.suspended"]


def test_a_suspended_persons_tokens_stop() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    raw = make_token(user=ada)
    admin = staff_actor(make_staff(bank, Role.ADMINISTRATOR))
    suspend_person(actor=admin, user_id=ada.pk, suspended=True, reason="Asked for it")
    assert dead(raw) == "user-suspended"
    suspend_person(actor=admin, user_id=ada.pk, suspended=False, reason="Is back")
    assert dead(raw) is None


def test_suspended_staff_are_signed_out_for_good() -> None:
    bank = make_bank()
    bea, cem = make_staff(bank, username="bea"), make_staff(bank, username="cem")
    for person in (bea, bea, cem):
        signed_in_client(person)
    admin = staff_actor(make_staff(bank, Role.ADMINISTRATOR))
    suspend_person(actor=admin, user_id=bea.pk, suspended=True, reason="Left")
    assert list(PortalSession.objects.values_list("user_id", flat=True)) == [cem.pk]
    assert '"sessions":2' in AuditEvent.objects.get().data
    suspend_person(actor=admin, user_id=bea.pk, suspended=False, reason="Is back")
    assert not PortalSession.objects.filter(user=bea).exists()


def test_only_an_administrator_of_the_same_bank_suspends_and_nobody_themselves() -> None:
    bank, elsewhere = make_bank(), make_bank()
    ada, client = make_customer(bank), make_application(bank, "bank")
    admin = make_staff(bank, Role.ADMINISTRATOR)
    stranger = staff_actor(make_staff(elsewhere, Role.ADMINISTRATOR))
    operator = staff_actor(make_staff(bank))
    for actor, refusal in ((stranger, NotFound), (operator, Forbidden)):
        with pytest.raises(refusal):
            suspend_person(actor=actor, user_id=ada.pk, suspended=True, reason="r")
        with pytest.raises(refusal):
            suspend_client(actor=actor, client_id=client.client_id, suspended=True, reason="r")
    with pytest.raises(Forbidden):
        suspend_person(actor=staff_actor(admin), user_id=admin.pk, suspended=True, reason="r")
    with pytest.raises(InvalidInput):
        suspend_person(actor=staff_actor(admin), user_id=ada.pk, suspended=True, reason="")
    assert User.objects.filter(is_active=False).count() == Application.objects.exclude(suspended_at=None).count() == 0
    assert AuditEvent.objects.count() == 0


def test_a_bank_is_set_up_at_a_shell() -> None:
    run("add_bank", "harbour", "Harbour Bank")
    bea = ("bea.lund", "Bea Lund", "--bank", "harbour", "--role", "operator", "--email", "bea@harbour.example")
    password = run("add_staff", *bea).strip()
    assert contact_of(User.objects.get(username="bea.lund")).email == "bea@harbour.example"
    actor = Actor.anonymous(Channel.PORTAL, ip="127.0.0.1")
    assert check_password(actor=actor, username="bea.lund", password=password).role == "operator"
    told = run(
        "add_client", "Core", "--bank", "harbour", "--kind", "bank", "--dialect", "adiba", "--ip", "10.0.0.0/8"
    )
    client = Application.objects.get()
    assert re.findall(r"^client id +(\S+)$", told, re.M) == [client.client_id]
    assert (client.dialects, client.allowed_ips, "devices:admin" in client.allowed_scopes) == (
        ["adiba"],
        ["10.0.0.0/8"],
        True,
    )
    assert "app secret" in run("add_client", "App", "--bank", "harbour", "--kind", "mobile", "--dialect", "asseco")
    run("suspend", "--client", client.client_id, "--reason", "Leaked")
    run("suspend", "--staff", "bea.lund", "--reason", "Left")
    assert not User.objects.get().is_active
    run("suspend", "--staff", "bea.lund", "--reason", "Is back", "--lift")
    assert User.objects.get().is_active


def test_the_shell_says_in_one_line_what_is_wrong() -> None:
    run("add_bank", "harbour", "Harbour Bank")
    for words in (
        ("add_bank", "harbour", "Again"),
        ("add_staff", "x", "X", "--bank", "nowhere", "--role", "operator"),
        ("add_staff", "", "X", "--bank", "harbour", "--role", "operator"),
        ("add_client", "X", "--bank", "nowhere", "--kind", "bank"),
        ("suspend", "--client", "nobody", "--reason", "r"),
        ("suspend", "--staff", "nobody", "--reason", "r"),
        ("suspend", "--customer", "USR_1", "--reason", "r"),
    ):
        with pytest.raises(CommandError) as refusal:
            run(*words)
        assert "\n" not in str(refusal.value)
    assert Bank.objects.count() == 1
    assert User.objects.count() == Application.objects.count() == 0
