import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.db.migrations.executor import MigrationExecutor
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from portal import health, jobs
from portal.core import clock
from portal.health import Probe, Verdict
from portal.models import IndexKeys, WorkerBeat
from portal.outbox.tests.factories import make_message

pytestmark = pytest.mark.django_db(transaction=True)  # the probes have connections of their own


@pytest.fixture(autouse=True)
def _worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 20.0)  # a busy machine is no reason to fail
    jobs.note_worker("one")


def ready() -> tuple[int, dict[str, dict[str, object]]]:
    response = health.readyz(RequestFactory().get("/readyz"))
    answer = json.loads(response.content)
    assert answer["ready"] is (response.status_code == 200)
    return response.status_code, answer["checks"]


def test_whether_the_process_is_alive_is_no_question_to_the_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert health.healthz(RequestFactory().get("/healthz")).status_code == 200


def test_everything_works() -> None:
    status, checks = ready()
    assert checks == {
        "database": {"ok": True},
        "migrations": {"ok": True},
        "index_keys": {"ok": True},
        "cache": {"ok": True},
        "broker": {"ok": True},
        "worker": {"ok": True, "seen_seconds_ago": 0},
        "audit": {"ok": True, "waiting": 0},
        "outbox": {"ok": True, "waiting": 0, "failed": 0},
        "crl": {"ok": True, "waiting": 0},
    }
    assert status == 200, checks


def test_a_worker_that_was_not_seen_for_a_minute_is_missed() -> None:
    WorkerBeat.objects.update(seen_at=clock.now() - timedelta(seconds=61))
    status, checks = ready()
    assert (status, checks["worker"]) == (503, {"ok": False, "seen_seconds_ago": 61})


def test_audit_events_that_are_not_sealed_make_it_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.queues.unsealed_window", lambda: (3, 31.0))
    status, checks = ready()
    assert status == 503
    assert checks["audit"] == {
        "ok": False,
        "waiting": 3,
        "oldest_seconds": 31,
        "problem": "events wait for their checkpoint",
    }


def test_messages_that_do_not_leave_are_told_and_send_nobody_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.queues.OUTBOX_LIMIT", -1.0)
    make_message()
    status, checks = ready()
    assert status == 200, checks
    assert checks["outbox"] == {"ok": False, "waiting": 1, "oldest_seconds": 0, "failed": 0}


def test_a_dead_cache_makes_it_not_ready_and_is_not_described(settings: LazySettings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "portal.valkey.ValkeyCache", "LOCATION": "redis://user:geheim@127.0.0.1:1/1"}
    }
    status, checks = ready()
    assert (status, checks["cache"]) == (503, {"ok": False, "problem": "ConnectionError"})
    assert "geheim" not in json.dumps(checks)
    assert type(caches["default"]).__name__ == "ValkeyCache"


def test_a_dead_broker_makes_it_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.doorbell.answers", lambda: False)
    status, checks = ready()
    assert (status, checks["broker"]) == (503, {"ok": False})


def test_missing_migrations_are_counted_until_they_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    migrations = health.Migrations()
    with monkeypatch.context() as patch:
        patch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [1, 2])
        assert migrations() == Verdict(False, {"missing": 2})
    assert migrations() == Verdict(True)
    with monkeypatch.context() as patch:
        patch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: pytest.fail("asked again"))
        assert migrations() == Verdict(True)


def test_a_process_without_the_index_key_that_counts_is_not_ready() -> None:
    IndexKeys.objects.update_or_create(pk=1, defaults={"now": "i2", "next": "i2"})
    status, checks = ready()
    assert (status, checks["index_keys"]) == (503, {"ok": False, "missing": ["i2"]})


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_probes_that_hang_cost_a_second_together_and_are_asked_once(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    asked: list[str] = []

    def hang(name: str) -> Probe:
        def ask() -> Verdict:
            asked.append(name)
            gate.wait(30)
            return Verdict(True)

        return Probe(ask)

    monkeypatch.setattr(health, "PATIENCE", 0.2)
    monkeypatch.setattr(health, "NEEDED", {name: hang(name) for name in ["a", "b", "c"]})
    monkeypatch.setattr(health, "TOLD", {})
    started = time.monotonic()
    for _ in range(2):
        status, checks = ready()
        assert status == 503
        assert checks["a"] == {"ok": False, "problem": "no answer in time"}
    assert time.monotonic() - started < 1
    assert sorted(asked) == ["a", "b", "c"]


def test_only_reading_is_allowed() -> None:
    assert health.readyz(RequestFactory().post("/readyz")).status_code == 405
