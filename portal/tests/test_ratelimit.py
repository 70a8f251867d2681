import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
import time_machine
from django.conf import LazySettings
from django.core.cache import cache, caches

from portal import ratelimit
from portal.core.errors import RateLimited, Unavailable
from portal.ratelimit import Rate, hit, tally
from portal.tests.threads import race

MOMENT = datetime(2026, 11, 2, 12, 0, 15, tzinfo=UTC)  # a quarter into a minute


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    ratelimit.breaker.reset()
    cache.clear()
    yield
    ratelimit.breaker.reset()


def _use(settings: LazySettings, location: str) -> None:
    settings.CACHES = {"default": {"BACKEND": "portal.valkey.ValkeyCache", "LOCATION": location}}


@pytest.fixture
def valkey(settings: LazySettings, valkey_socket: Path) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(valkey_socket), db=1, decode_responses=True)
    client.flushall()
    _use(settings, f"unix://{valkey_socket}?db=1")
    yield client
    client.close()


@pytest.fixture
def dead_valkey(settings: LazySettings) -> Iterator[None]:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        _use(settings, f"redis://127.0.0.1:{reserved.getsockname()[1]}/1")
        yield


def test_the_call_above_the_limit_is_refused_until_the_next_window() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        assert hit("api", "ann", limit=2, window=60) == Rate(limit=2, remaining=1, reset=45)
        assert hit("api", "ann", limit=2, window=60) == Rate(limit=2, remaining=0, reset=45)
        with pytest.raises(RateLimited) as caught:
            hit("api", "ann", limit=2, window=60)
        assert caught.value.retry_after == 45
        clock.shift(45)
        assert hit("api", "ann", limit=2, window=60) == Rate(limit=2, remaining=1, reset=60)


def test_callers_and_limits_do_not_count_for_each_other() -> None:
    with time_machine.travel(MOMENT, tick=False):
        for name, key in [("api", "ann"), ("api", "bob"), ("sign-in", "ann")]:
            assert hit(name, key, limit=1, window=60).remaining == 0


def test_what_is_only_counted_is_never_refused() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        assert [tally("ids", "one", window=60) for _ in range(3)] == [1, 2, 3]
        assert (tally("ids", "two", window=60), tally("stems", "one", window=60)) == (1, 1)
        clock.shift(45)
        assert tally("ids", "one", window=60) == 1


@pytest.mark.usefixtures("dead_valkey")
def test_without_a_cache_nothing_is_counted() -> None:
    assert tally("ids", "one", window=60) is None


def test_the_cache_holds_no_key_in_clear(valkey: redis.Redis) -> None:
    hit("api", "203.0.113.9", limit=5, window=60)
    names = valkey.keys("*")
    assert len(names) == 1
    assert "203.0.113.9" not in names[0]


def test_a_counter_does_not_outlive_its_window(valkey: redis.Redis) -> None:
    hit("api", "ann", limit=5, window=60)
    (name,) = valkey.keys("*")
    assert 55 <= valkey.ttl(name) <= 60


def test_a_call_is_one_round_trip(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    hit("api", "ann", limit=5, window=60)  # connects
    sent: list[object] = []
    connection = redis.connection.UnixDomainSocketConnection
    original = connection.send_packed_command

    def noted(self: object, command: object, check_health: bool = True) -> None:
        sent.append(command)
        original(self, command, check_health)  # type: ignore[arg-type, no-untyped-call]

    monkeypatch.setattr(connection, "send_packed_command", noted)
    hit("api", "ann", limit=5, window=60)
    assert len(sent) == 1


def test_counting_survives_that_valkey_hung_up(valkey: redis.Redis) -> None:
    with time_machine.travel(MOMENT, tick=False):
        hit("api", "ann", limit=5, window=60)
        assert valkey.client_kill_filter(_type="normal", skipme=True) >= 1
        assert hit("api", "ann", limit=5, window=60).remaining == 3


@pytest.mark.parametrize("backend", ["memory", "valkey"])
def test_of_64_racing_calls_exactly_the_limit_passes(backend: str, request: pytest.FixtureRequest) -> None:
    if backend == "valkey":
        request.getfixturevalue("valkey")
    with time_machine.travel(MOMENT, tick=False):
        outcomes = race(64, lambda number: hit("api", "ann", limit=10, window=60).remaining)
    passed = sorted(outcome for outcome in outcomes if isinstance(outcome, int))
    assert passed == list(range(10))
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 54


@pytest.mark.usefixtures("dead_valkey")
def test_without_valkey_calls_pass_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "portal.ratelimit"), time_machine.travel(MOMENT, tick=False):
        rates = [hit("api", "ann", limit=1, window=60) for _ in range(5)]
    assert rates == [Rate(limit=1, remaining=1, reset=45)] * 5
    assert [record.getMessage() for record in caplog.records] == ["cache unavailable"]


@pytest.mark.usefixtures("dead_valkey")
def test_without_valkey_a_limit_that_guards_a_secret_is_unavailable() -> None:
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            hit("sign-in", "ann", limit=5, window=60, guards_secret=True)
        assert caught.value.code == "rate-state-unavailable"


def test_a_valkey_that_hangs_is_waited_for_once(settings: LazySettings) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        _use(settings, f"redis://127.0.0.1:{listener.getsockname()[1]}/1")
        started = time.monotonic()
        for _ in range(50):
            hit("api", "ann", limit=1, window=60)
        assert time.monotonic() - started < 1.0
        listener.setblocking(False)
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_counting_goes_on_when_valkey_is_back(valkey: redis.Redis) -> None:
    ratelimit.breaker.failed()
    assert hit("api", "ann", limit=5, window=60).remaining == 5
    ratelimit.breaker._closed_again_at = time.monotonic()  # the rest is over
    assert hit("api", "ann", limit=5, window=60).remaining == 4
    assert hit("api", "ann", limit=5, window=60).remaining == 3
    assert type(caches["default"]).__name__ == "ValkeyCache"
