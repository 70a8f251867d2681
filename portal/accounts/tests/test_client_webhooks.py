"""Where a client is told, and by what key."""

import base64

import pytest
from django.conf import LazySettings

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import Application, Bank
from portal.accounts.operations.client_webhooks import recipient_of, renew_webhook_key, set_webhook
from portal.accounts.roles import Role
from portal.accounts.tests.people import events, make_client, signed_in
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from portal.outbox.gateways.webhook import webhook_recipient

pytestmark = pytest.mark.django_db

URL = "https://core.bank.example/hooks/7f3a"


@pytest.fixture
def bank() -> Bank:
    return make_bank("first")


@pytest.fixture
def client(bank: Bank) -> Application:
    return make_client(bank).application


@pytest.fixture
def ann(bank: Bank) -> Actor:
    return signed_in(make_staff(bank, Role.ADMINISTRATOR))


def told(client: Application) -> tuple[str, str]:
    client.refresh_from_db()
    return client.webhook_url, recipient_of(client)


def test_a_client_is_told_where_it_asked_to_be_by_a_key_that_is_shown_once(client: Application, ann: Actor) -> None:
    set_webhook(actor=ann, client_id=client.client_id, url=URL, reason="Core banking listens")
    first = told(client)[1]
    shown = renew_webhook_key(actor=ann, client_id=client.client_id, reason="For the core bank").secret
    assert shown.startswith("whsec_")
    key = base64.b64decode(shown.removeprefix("whsec_"))
    assert len(key) == 32
    assert told(client) == (URL, webhook_recipient(URL, key))
    assert first != told(client)[1]
    kept = str(Application.objects.values().get(pk=client.pk)) + str(list(AuditEvent.objects.values()))
    assert base64.b64encode(key).decode() not in kept
    assert "7f3a" not in str(list(AuditEvent.objects.values()))  # a path may be a secret of its own
    assert events("client.changed") == [("client.changed", "")] * 2


def test_another_address_keeps_the_key_and_none_drops_it(client: Application, ann: Actor) -> None:
    for url in (URL, f"{URL}/2", f"{URL}/2"):
        set_webhook(actor=ann, client_id=client.client_id, url=url, reason="Moved")
    assert len(events("client.changed")) == 2
    key = recipient_of(Application.objects.get(pk=client.pk)).split()[0]
    assert told(client)[1] == f"{key} {URL}/2"
    set_webhook(actor=ann, client_id=client.client_id, url="", reason="No more")
    assert told(client) == ("", "")
    assert Application.objects.get(pk=client.pk).webhook_key_sealed == ""
    with pytest.raises(InvalidState) as refused:
        renew_webhook_key(actor=ann, client_id=client.client_id, reason="x")
    assert refused.value.code == "no-webhook"


@pytest.mark.parametrize(
    "url",
    [
        "http://core.bank.example/",
        "https://",
        "https://user:word@core.bank.example/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://core.bank.example/ x",
        "ftp://core.bank.example/",
        "https://core.bank.example/" + "x" * 500,
    ],
)
def test_an_address_that_may_not_be_called_is_refused(
    client: Application, ann: Actor, url: str, settings: LazySettings
) -> None:
    settings.DEMO = False  # there this machine may be called
    with pytest.raises(InvalidInput):
        set_webhook(actor=ann, client_id=client.client_id, url=url, reason="x")
    assert told(client) == ("", "")
    assert events("client.changed") == []


def test_only_who_manages_clients_of_the_same_bank(client: Application, bank: Bank) -> None:
    for actor, error in [
        (signed_in(make_staff(bank, Role.OPERATOR)), Forbidden),
        (signed_in(make_staff(make_bank("second"), Role.ADMINISTRATOR)), NotFound),
    ]:
        with pytest.raises(error):
            set_webhook(actor=actor, client_id=client.client_id, url=URL, reason="x")
        with pytest.raises(error):
            renew_webhook_key(actor=actor, client_id=client.client_id, reason="x")
    assert told(client) == ("", "")
