"""Long polls: who waits, for how long, and what it costs the others."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from devices.tests.factories import make_token
from portal.api import waiting
from portal.api.hyphen import twofa_views
from portal.api.prefer import wanted_wait
from portal.api.tests.doors import Caller
from portal.core import clock
from portal.ratelimit import breaker
from portal.tests.threads import race
from twofa.models import TwoFactorRequest
from twofa.operations.answering import deny_request
from twofa.operations.asking import ask_again
from twofa.tests.asking import Scene, make_phone

pytestmark = pytest.mark.django_db

WAIT = {"Prefer": "wait=20"}
PATIENCE = 60  # seconds; a test that hangs fails instead


@pytest.fixture
def scene() -> Scene:
    return Scene()


class Pauses:
    """Takes the place of the pause between two looks: counts, and does what is due."""

    def __init__(self) -> None:
        self.lengths: list[float] = []
        self.due: dict[int, Callable[[], object]] = {}

    def __call__(self, seconds: float) -> None:
        self.lengths.append(seconds)
        self.due.get(len(self.lengths), lambda: None)()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    made = Pauses()
    monkeypatch.setattr(waiting, "pause", made)
    return made


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody else has the only place."""
    place = threading.BoundedSemaphore(1)
    monkeypatch.setattr(waiting, "_places", place)
    with place:
        yield


def asked(scene: Scene, **values: Any) -> str:
    return f"/device/v1/2fa/{scene.ask(**values).request.pk}"


def test_the_application_hears_at_once_of_the_answer(scene: Scene, pauses: Pauses) -> None:
    path = asked(scene)
    pauses.due[3] = lambda: deny_request(actor=scene.owner, id=path.rsplit("/", 1)[1])
    response = Caller(make_token(application=scene.application)).get(path, **WAIT)
    assert (response.status_code, response["Preference-Applied"]) == (200, "wait=20")
    assert response.json()["twoFactorAuth"]["status"] == "denied"
    assert pauses.lengths == [waiting.PAUSE] * 3


def test_the_device_that_waits_may_too_and_nobody_else(scene: Scene, pauses: Pauses) -> None:
    source = make_phone(scene.ada, "source")
    path = asked(scene, source_id=str(source.pk), destination_id=str(scene.phone.pk))
    for device in (scene.phone, None):
        response = Caller(make_token(user=scene.ada, device=device)).get(path, **WAIT)
        assert response.json()["twoFactorAuth"]["status"] == "pending"
        assert ("Preference-Applied" in response, pauses.lengths) == (False, [])
    pauses.due[1] = lambda: deny_request(actor=scene.owner, id=path.rsplit("/", 1)[1])
    response = Caller(make_token(user=scene.ada, device=source)).get(path, **WAIT)
    assert response.json()["twoFactorAuth"]["status"] == "denied"


def test_what_is_decided_is_told_at_once(scene: Scene, pauses: Pauses) -> None:
    path = asked(scene)
    deny_request(actor=scene.owner, id=path.rsplit("/", 1)[1])
    response = Caller(make_token(application=scene.application)).get(path, **WAIT)
    assert (response.json()["twoFactorAuth"]["status"], pauses.lengths) == ("denied", [])


@pytest.mark.usefixtures("full")
def test_whoever_finds_no_place_is_answered_at_once(scene: Scene, pauses: Pauses) -> None:
    response = Caller(make_token(application=scene.application)).get(asked(scene), **WAIT)
    assert response.json()["twoFactorAuth"]["status"] == "pending"
    assert ("Preference-Applied" in response, pauses.lengths) == (False, [])


def test_a_place_is_given_back_also_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(waiting, "pause", lambda seconds: None)

    def breaks() -> bool:
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            waiting.wait_until(breaks, 1, who="ada")
    assert waiting.wait_until(lambda: True, 1, who="ada")


def test_a_quarter_of_the_web_threads_may_wait(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    for threads, most in ((32, 8), (3, 1)):
        monkeypatch.setattr(waiting, "_places", None)
        settings.WEB_THREADS = threads
        places = waiting.places()
        assert [places.acquire(blocking=False) for _ in range(most + 1)] == [True] * most + [False]


def test_the_wait_ends_with_the_request(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def waited(happened: Callable[[], bool], seconds: float, **who: object) -> bool:
        seen.append(seconds)
        return True

    monkeypatch.setattr(waiting, "wait_until", waited)
    scene.application.request_seconds = 30
    scene.application.save()
    with time_machine.travel(clock.now(), tick=False):
        path = asked(scene)
        with time_machine.travel(clock.now() + timedelta(seconds=7), tick=False):
            Caller(make_token(application=scene.application)).get(path, Prefer="wait=60")
    assert seen == [23.0]


class Gate:
    """A pause that lasts until somebody opens it, and tells who waits."""

    def __init__(self) -> None:
        self.paused, self.answered = threading.Semaphore(0), threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, seconds: float) -> None:
        self.paused.release()
        assert self.opened.wait(PATIENCE)


class Looks:
    """What is waited for: it happens at the look of this number, never without one. Counts the looks."""

    def __init__(self, number: int = 0) -> None:
        self.number, self.made = number, 0

    def __call__(self) -> bool:
        self.made += 1
        return self.made == self.number


def test_whoever_comes_back_ends_the_wait_it_left_behind(monkeypatch: pytest.MonkeyPatch, pauses: Pauses) -> None:
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(2))
    left, again, other = Looks(), Looks(3), Looks(2)

    def comes_back() -> None:
        assert waiting.wait_until(again, 20, who="ada")
        assert waiting.wait_until(other, 20, who="cem")

    pauses.due[2] = comes_back  # while the first one pauses for the second time
    assert waiting.wait_until(left, 20, who="ada")
    assert (left.made, again.made, other.made) == (2, 3, 2)
    assert [waiting.places().acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_what_was_left_behind_ends_also_where_no_place_is_free(
    monkeypatch: pytest.MonkeyPatch, pauses: Pauses
) -> None:
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
    left, again = Looks(), Looks()
    found: list[bool] = []
    pauses.due[1] = lambda: found.append(waiting.wait_until(again, 20, who="ada"))
    assert waiting.wait_until(left, 20, who="ada")
    assert (found, left.made, again.made) == ([False], 1, 0)


def test_another_callers_wait_goes_on(monkeypatch: pytest.MonkeyPatch, pauses: Pauses) -> None:
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(2))
    first, other = Looks(4), Looks(1)
    pauses.due[1] = lambda: waiting.wait_until(other, 20, who="cem")
    assert waiting.wait_until(first, 20, who="ada")
    assert (first.made, other.made) == (4, 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_callers_some_wait_the_others_are_answered_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, path = Gate(), asked(scene)
    callers = [Caller(make_token(application=scene.application)) for _ in range(6)]
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(2))
    monkeypatch.setattr(waiting, "pause", gate)

    def work(number: int) -> tuple[str, bool]:
        if number == 6:  # whoever answers: once two wait and four were told
            assert all(one.acquire(timeout=PATIENCE) for one in [gate.paused] * 2 + [gate.answered] * 4)
            deny_request(actor=scene.owner, id=path.rsplit("/", 1)[1])
            gate.opened.set()
            return "", False
        response = callers[number].get(path, **WAIT)
        gate.answered.release()
        return response.json()["twoFactorAuth"]["status"], "Preference-Applied" in response

    outcomes = Counter(race(7, work))
    assert outcomes == {("denied", True): 2, ("pending", False): 4, ("", False): 1}
    assert [waiting.places().acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_without_valkey_callers_wait_all_the_same(scene: Scene, pauses: Pauses, settings: Settings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "portal.valkey.ValkeyCache", "LOCATION": "unix:///nowhere/valkey.socket"}
    }
    path = asked(scene)
    pauses.due[2] = lambda: deny_request(actor=scene.owner, id=path.rsplit("/", 1)[1])
    try:
        response = Caller(make_token(application=scene.application)).get(path, **WAIT)
    finally:
        breaker.reset()
    assert (response.status_code, response.json()["twoFactorAuth"]["status"]) == (200, "denied")
    assert len(pauses.lengths) == 2


def test_a_database_that_goes_away_meanwhile_is_503_and_gives_the_place_back(
    scene: Scene, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(request: object) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(twofa_views, "is_decided", gone)
    caller, path = Caller(make_token(application=scene.application)), asked(scene)
    for _ in range(2):
        assert caller.get(path, **WAIT).status_code == 503
    assert len(pauses.lengths) == 2


@pytest.mark.parametrize(("header", "applied"), [("wait=99999", "wait=30"), ("wait=-1", ""), ("wait=abc", "")])
def test_a_strange_wish_is_cut_or_not_heard(header: str, applied: str, scene: Scene, pauses: Pauses) -> None:
    path = asked(scene)
    pauses.due[1] = lambda: deny_request(actor=scene.owner, id=path.rsplit("/", 1)[1])
    response = Caller(make_token(application=scene.application)).get(path, Prefer=header)
    assert (response.status_code, response.get("Preference-Applied", "")) == (200, applied)
    assert len(pauses.lengths) == (1 if applied else 0)


def test_another_round_and_an_end_are_seen_after_the_wait(scene: Scene, pauses: Pauses) -> None:
    path = asked(scene)
    id, phone = path.rsplit("/", 1)[1], str(scene.phone.pk)
    pauses.due[1] = lambda: ask_again(actor=scene.server, id=id, destination_id=phone)
    pauses.due[2] = lambda: TwoFactorRequest.objects.update(state="expired", closed_at=clock.now())
    caller = Caller(make_token(application=scene.application))
    before = caller.get(path).json()["twoFactorAuth"]["request"]["id"]
    shown = caller.get(path, **WAIT).json()["twoFactorAuth"]
    assert (shown["status"], shown["request"]["id"] != before, len(pauses.lengths)) == ("pending", True, 2)


@pytest.mark.django_db(transaction=True)
def test_no_connection_is_held_in_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "pool", {"max_size": 1})
    with monkeypatch.context() as patched:
        patched.setattr(connection, "close", lambda: closed.append(True))
        waiting.pause(0)
    assert closed == [True]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("wait=5", 5),
        ("WAIT = 5", 5),
        ('wait="5"', 5),
        ("return=minimal, wait=5", 5),
        ("wait=5; x=y", 5),
        ("wait=31", 30),
        ("wait=999999999", 30),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=٣", 0),
        ("wait=1e9", 0),
        ("waiting=5", 0),
    ],
)
def test_how_long_a_caller_wants_to_wait(header: str, seconds: int) -> None:
    assert wanted_wait(RequestFactory().get("/", headers={"Prefer": header})) == seconds
