"""Passkeys on the portal's pages."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import Passkey, PortalSession, User
from portal.accounts.tests.authenticating import SecurityKey, give_passkey
from portal.accounts.tests.people import code_at, enrol, events
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db

HOST = "localhost"
PASSWORD = "correct horse battery staple"


@pytest.fixture
def bea() -> User:
    person = make_staff(make_bank(), username="bea")
    person.set_password(PASSWORD)
    person.save()
    return person


@pytest.fixture
def secret(bea: User) -> str:
    return enrol(bea)[0]


@pytest.fixture
def key(bea: User, secret: str) -> SecurityKey:
    made = SecurityKey()
    give_passkey(bea, made)
    return made


def half_way(next_page: str = "") -> Client:
    client = Client(SERVER_NAME=HOST)
    form = {"username": "bea", "password": PASSWORD, "next": next_page}
    assert client.post("/sign-in", form)["Location"] == "/sign-in/code"
    return client


def at_home(user: User, *, fresh: bool = True) -> Client:
    client = signed_in_client(user, fresh=fresh)
    client.defaults["SERVER_NAME"] = HOST
    return client


def test_a_passkey_signs_in(key: SecurityKey) -> None:
    client = half_way("/account")
    options = client.get("/sign-in/code").context["passkey"]["options"]
    answer = client.post("/sign-in/passkey", {"answer": key.sign(options)})
    assert (answer.status_code, answer["Location"]) == (302, "/account")
    assert client.get("/account").status_code == 200
    assert client.get("/account/passkeys/new").status_code == 200  # the sign-in was a fresh factor
    assert events()[-1] == ("sign-in.succeeded", "")


def test_a_wrong_one_shows_the_page_again_with_another_challenge(key: SecurityKey) -> None:
    client = half_way()
    options = client.get("/sign-in/code").context["passkey"]["options"]
    page = client.post("/sign-in/passkey", {"answer": key.sign(options, broken=True)})
    assert page.status_code == 422
    assert "The passkey was not accepted" in page.content.decode()
    assert page.context["passkey"]["options"] != options
    assert client.get("/account").status_code == 302
    assert events("second-factor.refused") == [("second-factor.refused", "passkey-wrong")]


def test_who_waits_after_a_wrong_one_waits_for_codes_too(key: SecurityKey, secret: str) -> None:
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        client = half_way()
        assert client.post("/sign-in/passkey", {"answer": "{}"}).status_code == 422
        assert client.post("/sign-in/passkey", {"answer": "{}"}).status_code == 429
        assert client.post("/sign-in/code", {"code": code_at(secret)}).status_code == 429


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_password_there_is_no_passkey_step(key: SecurityKey, method: str) -> None:
    answer = getattr(Client(SERVER_NAME=HOST), method)("/sign-in/passkey", {"answer": "{}"})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in")


def test_nothing_is_offered_to_somebody_without_one(secret: str) -> None:
    page = half_way().get("/sign-in/code")
    assert page.context["passkey"] is None
    assert b"passkeys.js" not in page.content


def test_under_another_name_the_page_says_where_they_work(key: SecurityKey, bea: User) -> None:
    client = half_way()
    page = client.get("/sign-in/code", headers={"host": "127.0.0.1:8000"})
    assert "http://localhost:8000" in page.content.decode()
    assert "data-options" not in page.content.decode()
    new = at_home(bea).get("/account/passkeys/new", headers={"host": "127.0.0.1:8000"})
    assert "data-options" not in new.content.decode()


def test_a_passkey_is_added_on_the_account_page(bea: User, secret: str) -> None:
    client, made = at_home(bea), SecurityKey()
    options = client.get("/account/passkeys/new").context["options"]
    answer = client.post("/account/passkeys/new", {"name": "<b>Key</b>", "answer": made.make(options)}, follow=True)
    assert "“&lt;b&gt;Key&lt;/b&gt;” was added" in answer.content.decode()
    assert Passkey.objects.get().name == "<b>Key</b>"


def test_a_refused_one_is_told_and_written_once(bea: User, secret: str) -> None:
    client, made = at_home(bea), SecurityKey()
    options = client.get("/account/passkeys/new").context["options"]
    answer = made.make(options, origin="https://evil.example")
    page = client.post("/account/passkeys/new", {"name": "Key", "answer": answer})
    assert page.status_code == 422
    assert not Passkey.objects.exists()
    assert [(event, code) for event, code, _, _ in refusals()] == [("request.refused", "passkey-wrong")]


def test_a_passkey_is_removed_by_its_owner_only(bea: User, key: SecurityKey) -> None:
    passkey = Passkey.objects.get()
    path = f"/account/passkeys/{passkey.pk}/remove"
    assert at_home(make_staff(bea.bank, username="cem")).post(path).status_code == 404
    assert Passkey.objects.count() == 1
    assert at_home(bea).post(path)["Location"] == "/account"
    assert not Passkey.objects.exists()


def test_end_all_ends_this_one_too(bea: User) -> None:
    here, there = at_home(bea), at_home(bea)
    assert here.post("/account/sessions/end-all")["Location"] == "/sign-in"
    assert there.get("/account").status_code == here.get("/account").status_code == 302
    assert not PortalSession.objects.filter(user=bea).exists()
    assert events() == [("session.ended", "")]
