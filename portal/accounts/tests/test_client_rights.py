"""What a client may in SPiD: speak for others of its bank, and get signed answers."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from devices.tests.factories import make_bank, make_customer, make_staff
from portal.accounts.actors import actor_from_token
from portal.accounts.models import Application, Bank
from portal.accounts.operations.client_signing import (
    drop_sign_secret,
    renew_sign_secret,
    sign_secret_of,
)
from portal.accounts.operations.clients import create_application, set_administration
from portal.accounts.operations.tokens import issue_token
from portal.accounts.queries import claimed_client
from portal.accounts.roles import Role
from portal.accounts.tests.people import HOUR, SYSTEM, events, make_client, signed_in
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Channel
from portal.core.errors import Forbidden, InvalidInput, InvalidState, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank("first")


def told() -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("event", "reason", "data"))


def stored() -> list[dict[str, object]]:
    return [dict(row) for row in Application.objects.order_by("pk").values("administers", "sign_secret_sealed")]


# Making one.


def test_a_client_is_made_with_both_or_neither(bank: Bank) -> None:
    values = {"kind": "mobile", "dialects": ["spid"], "scopes": ["fingerprints"]}
    plain = create_application(actor=SYSTEM, bank=bank, name="Plain", **values)  # type: ignore[arg-type]
    assert (plain.sign_secret, plain.application.administers, sign_secret_of(plain.application)) == ("", False, "")
    made = create_application(
        actor=SYSTEM,
        bank=bank,
        name="App",
        administers=True,
        signed_answers=True,
        **values,  # type: ignore[arg-type]
    )
    row = Application.objects.get(pk=made.application.pk)
    assert (row.administers, len(made.sign_secret), sign_secret_of(row)) == (True, 43, made.sign_secret)
    kept = str(Application.objects.values()) + str(list(AuditEvent.objects.values()))
    assert made.sign_secret not in kept
    assert '"administers":true' in told()[1][2]
    assert '"signed_answers":true' in told()[1][2]


def test_both_mean_something_in_spid_only(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_application(
            actor=SYSTEM,
            bank=bank,
            kind="mobile",
            name="App",
            dialects=["asseco"],
            scopes=[],
            administers=True,
            signed_answers=True,
        )
    assert [problem.field for problem in refused.value.fields] == ["administers", "signed_answers"]
    assert (Application.objects.count(), events()) == (0, [])


def test_the_command_shows_the_sign_secret_once(bank: Bank) -> None:
    out = StringIO()
    words = ["App", "--bank", "first", "--kind", "mobile", "--dialect", "spid"]
    call_command("add_client", *words, "--administers", "--signed-answers", stdout=out)
    lines = dict(line.rsplit(None, 1) for line in out.getvalue().splitlines())
    assert list(lines) == ["client id", "client secret", "app secret", "sign secret"]
    row = Application.objects.get()
    assert (row.administers, sign_secret_of(row)) == (True, lines["sign secret"])
    with pytest.raises(CommandError, match="only means something in SPiD"):
        call_command("add_client", "B", "--bank", "first", "--kind", "mobile", "--signed-answers", stdout=out)


# Changing it.


def test_each_renewal_makes_another_secret_and_an_event(bank: Bank) -> None:
    client_id = make_client(bank, "mobile").application.client_id
    secrets = [renew_sign_secret(actor=SYSTEM, client_id=client_id, reason=reason) for reason in ("new", "leaked")]
    assert secrets[0].sign_secret != secrets[1].sign_secret
    assert sign_secret_of(Application.objects.get()) == secrets[1].sign_secret
    assert told()[1:] == [
        ("client.changed", "new", '{"after":{"signed_answers":true},"before":{"signed_answers":false}}'),
        ("client.changed", "leaked", '{"after":{"signed_answers":true},"before":{"signed_answers":true}}'),
    ]
    assert not any(made.sign_secret in str(list(AuditEvent.objects.values())) for made in secrets)


def test_setting_what_is_there_is_quiet(bank: Bank) -> None:
    client_id = make_client(bank, "mobile").application.client_id
    renew_sign_secret(actor=SYSTEM, client_id=client_id, reason="new")
    for _ in range(2):
        assert drop_sign_secret(actor=SYSTEM, client_id=client_id, reason="no more").sign_secret_sealed == ""
        assert set_administration(actor=SYSTEM, client_id=client_id, administers=True, reason="group").administers
    assert told()[2:] == [
        ("client.changed", "no more", '{"after":{"signed_answers":false},"before":{"signed_answers":true}}'),
        ("client.changed", "group", '{"after":{"administers":true},"before":{"administers":false}}'),
    ]


def test_a_client_without_spid_gets_no_secret(bank: Bank) -> None:
    made = create_application(actor=SYSTEM, bank=bank, kind="bank", name="Core", dialects=["adiba"], scopes=[])
    with pytest.raises(InvalidState) as refused:
        renew_sign_secret(actor=SYSTEM, client_id=made.application.client_id, reason="new")
    assert refused.value.code == "client-not-spid"
    assert stored() == [{"administers": False, "sign_secret_sealed": ""}]


def test_it_is_the_administrators_business_in_the_own_bank_and_wants_a_reason(bank: Bank) -> None:
    client_id = make_client(bank, "mobile").application.client_id
    before = stored()

    def change(actor: Actor, wanted: str = client_id, reason: str = "why") -> None:
        for step in (
            lambda: renew_sign_secret(actor=actor, client_id=wanted, reason=reason),
            lambda: drop_sign_secret(actor=actor, client_id=wanted, reason=reason),
            lambda: set_administration(actor=actor, client_id=wanted, administers=True, reason=reason),
        ):
            with pytest.raises((Forbidden, NotFound, InvalidInput)) as refused:
                step()
            codes.append(refused.value.code)

    codes: list[str] = []
    for role in set(Role) - {Role.ADMINISTRATOR}:
        change(signed_in(make_staff(bank, role)))
    assert set(codes) == {"capability-missing"}
    codes.clear()
    change(signed_in(make_staff(make_bank(), Role.ADMINISTRATOR)))
    change(signed_in(make_staff(bank, Role.ADMINISTRATOR)), "nobody")
    assert set(codes) == {"not-found"}
    codes.clear()
    change(signed_in(make_staff(bank, Role.ADMINISTRATOR)), reason=" ")
    assert set(codes) == {"invalid-input"}
    assert stored() == before
    assert events() == [("client.created", "")]


# In whose name.


def customer(application: Application) -> Actor:
    ada = make_customer(application.bank)
    token, _ = issue_token(actor=SYSTEM, application=application, user=ada, scopes=["fingerprints"], lifetime=HOUR)
    return actor_from_token(token, channel=Channel.SPID)


def test_a_call_is_in_the_name_of_its_own_client_only(bank: Bank) -> None:
    own, other = (make_client(bank, "mobile", name=name).application for name in ("One", "Two"))
    foreign = make_client(make_bank(), "mobile").application
    actor = customer(own)

    def refused(client_id: str) -> str:
        with pytest.raises((Forbidden, NotFound)) as error:
            claimed_client(actor, client_id)
        return error.value.code

    assert claimed_client(actor, own.client_id) == own
    assert [refused(name) for name in ("", "nobody", foreign.client_id)] == [
        "client-unknown",
        "client-unknown",
        "client-mismatch",
    ]
    assert refused(other.client_id) == "client-administers-nothing"
    set_administration(actor=SYSTEM, client_id=own.client_id, administers=True, reason="group")
    assert refused(other.client_id) == "administers-nothing"
    set_administration(actor=SYSTEM, client_id=other.client_id, administers=True, reason="the other one")
    set_administration(actor=SYSTEM, client_id=own.client_id, administers=False, reason="no more")
    assert refused(other.client_id) == "client-administers-nothing"
