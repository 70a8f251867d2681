"""One code, one backup code, one passkey's answer, sent twenty times at the same moment through the portal's door."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import BackupCode, Passkey, User
from portal.accounts.tests.authenticating import SecurityKey, give_passkey
from portal.accounts.tests.people import code_at, enrol, events
from portal.core import clock
from portal.tests.threads import race
from portal.web.tests.helpers import signed_in_client

pytestmark = pytest.mark.django_db(transaction=True)

TIMES = 20
HOST = "localhost"
PASSWORD = "correct horse battery staple"


@pytest.fixture
def bea(transactional_db: None) -> User:
    person = make_staff(make_bank(), username="bea")
    person.set_password(PASSWORD)
    person.save()
    return person


@pytest.fixture
def seed(bea: User) -> str:
    return enrol(bea)[0]


def half_way() -> Client:
    client = Client(SERVER_NAME=HOST)
    assert client.post("/sign-in", {"username": "bea", "password": PASSWORD})["Location"] == "/sign-in/code"
    return client


def twin(client: Client) -> Client:
    """Another window of the same browser."""
    made = Client(SERVER_NAME=HOST)
    name = settings.SESSION_COOKIE_NAME
    made.cookies[name] = client.cookies[name].value
    return made


def sent(clients: list[Client], send: Callable[[Client], Any]) -> Counter[int]:
    """The statuses, counted."""
    outcomes = race(len(clients), lambda number: send(clients[number]).status_code)
    assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    return Counter(outcome for outcome in outcomes if isinstance(outcome, int))


def one_of(counted: Counter[int]) -> None:
    """One success, and refusals that say so; no failure of ours."""
    assert counted[302] == 1
    assert set(counted) <= {302, 422, 429}
    assert counted.total() == TIMES


def test_one_code_signs_in_one_of_twenty_browsers(seed: str) -> None:
    browsers = [half_way() for _ in range(TIMES)]
    with time_machine.travel(clock.now() + timedelta(minutes=1), tick=False):
        code = code_at(seed)
        one_of(sent(browsers, lambda client: client.post("/sign-in/code", {"code": code})))
    assert len(events("sign-in.succeeded")) == 1
    assert sum(client.get("/account").status_code == 200 for client in browsers) == 1


def test_one_backup_code_signs_in_one_of_twenty_browsers(bea: User) -> None:
    code = enrol(bea)[1][0]
    browsers = [half_way() for _ in range(TIMES)]
    one_of(sent(browsers, lambda client: client.post("/sign-in/code", {"code": code})))
    assert len(events("sign-in.succeeded")) == len(events("backup-code.used")) == 1
    assert BackupCode.objects.filter(used_at=None).count() == 9


def test_one_answer_of_a_passkey_steps_up_one_of_twenty_windows(bea: User, seed: str) -> None:
    key = SecurityKey()
    give_passkey(bea, key)
    client = signed_in_client(bea, fresh=False)
    client.defaults["SERVER_NAME"] = HOST
    options = client.get("/account/step-up?next=/staff").context["passkey"]["options"]
    form = {"again-answer": key.sign(options), "next": "/staff"}
    windows = [twin(client) for _ in range(TIMES)]
    one_of(sent(windows, lambda window: window.post("/account/step-up", form)))
    assert Passkey.objects.get().uses == 1


def test_one_answer_of_a_passkey_is_one_sign_in(bea: User, seed: str) -> None:
    """All windows share a session, which the success replaces: the others are told, or sent to the first step."""
    key = SecurityKey()
    give_passkey(bea, key)
    client = half_way()
    answer = key.sign(client.get("/sign-in/code").context["passkey"]["options"])
    windows = [twin(client) for _ in range(TIMES)]
    counted = sent(windows, lambda window: window.post("/sign-in/passkey", {"answer": answer}))
    assert counted.total() == TIMES
    assert set(counted) <= {302, 400, 422, 429}
    assert len(events("sign-in.succeeded")) == 1
    name = settings.SESSION_COOKIE_NAME
    signed_in = {window.cookies[name].value for window in windows if window.get("/account").status_code == 200}
    assert len(signed_in) == 1
