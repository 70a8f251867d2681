import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine
from celery import Celery
from django.conf import LazySettings
from django.db import transaction

from portal import doorbell, jobs, tasks
from portal.core.errors import Unavailable
from portal.models import JobSlot, WorkerBeat
from portal.tests.threads import race

MOMENT = datetime(2026, 11, 2, 12, 0, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _closed_breaker() -> Iterator[None]:
    jobs.breaker.reset()
    yield
    jobs.breaker.reset()


class Sender:
    """A sender that notes its calls and, while it is down, fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, down: bool) -> None:
        self.calls: list[tuple[str, str]] = []
        self.down = down
        monkeypatch.setattr("portal.jobs.note", self)

    def __call__(self, name: str, pk: str) -> None:
        self.calls.append((name, pk))
        if self.down:
            raise Unavailable(code="broker-unavailable")


@pytest.mark.django_db(transaction=True)
def test_a_ring_is_sent_after_the_commit_and_not_before() -> None:
    with jobs.recorded() as rung:
        with transaction.atomic():
            jobs.ring("outbox.deliver", 7)
            assert rung == []
        assert rung == [jobs.Ring("outbox.deliver", "7")]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_when_the_transaction_rolls_back() -> None:
    with jobs.recorded() as rung:
        with transaction.atomic():
            jobs.ring("outbox.deliver", 7)
            transaction.set_rollback(True)
        assert rung == []


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_does_not_reach_the_caller_and_costs_one_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sender = Sender(monkeypatch, down=True)
    with caplog.at_level(logging.WARNING, "portal.jobs"):
        for number in range(20):
            with transaction.atomic():
                jobs.ring("outbox.deliver", number)
    assert sender.calls == [("outbox.deliver", "0")]  # the other nineteen did not try
    assert [record.getMessage() for record in caplog.records] == ["broker unavailable"]


@pytest.mark.django_db(transaction=True)
def test_ringing_goes_on_when_the_broker_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(monkeypatch, down=True)
    jobs.ring("outbox.deliver", 1)
    jobs.ring("outbox.deliver", 2)
    sender.down = False
    jobs.breaker._closed_again_at = time.monotonic()  # the rest is over
    jobs.ring("outbox.deliver", 3)
    jobs.ring("outbox.deliver", 4)
    assert [pk for _, pk in sender.calls] == ["1", "3", "4"]


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_the_sender_itself_does_not_reach_the_caller(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.JOB_SENDER = "portal.jobs.there_is_no_such_sender"
    with transaction.atomic():
        jobs.ring("outbox.deliver", 1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


class TestDoorbell:
    @pytest.fixture
    def broker(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
        app = Celery("test")
        app.conf.update(broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2})
        app.conf.task_default_queue = "portal"
        monkeypatch.setattr(doorbell, "app", app)
        doorbell._connection.cache_clear()
        yield app
        doorbell._connection.cache_clear()

    def test_a_task_arrives_in_the_queue_by_name_with_its_id(self, broker: Celery, valkey_socket: Path) -> None:
        client = redis.Redis(unix_socket_path=str(valkey_socket), decode_responses=True)
        client.flushall()
        broker.conf.update(broker_url=f"redis+socket://{valkey_socket}?virtual_host=0")
        doorbell.send("outbox.deliver", "42")
        doorbell.send("outbox.deliver", "43")
        messages = client.lrange("portal", 0, -1)
        assert isinstance(messages, list)
        assert len(messages) == 2
        assert '"task": "outbox.deliver"' in messages[0]
        assert doorbell.answers()
        client.close()

    def test_a_ring_survives_that_the_broker_hung_up(self, broker: Celery, valkey_socket: Path) -> None:
        client = redis.Redis(unix_socket_path=str(valkey_socket), decode_responses=True)
        client.flushall()
        broker.conf.update(broker_url=f"redis+socket://{valkey_socket}?virtual_host=0")
        doorbell.send("outbox.deliver", "42")
        assert client.client_kill_filter(_type="normal", skipme=True) >= 1
        doorbell.send("outbox.deliver", "43")
        assert client.llen("portal") == 2
        client.close()

    @pytest.mark.parametrize("kind", ["nobody listens", "no socket", "takes the call and says nothing"])
    def test_a_dead_broker_is_unavailable_within_three_tenths_of_a_second(
        self, broker: Celery, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each call tries once, with waits that are shorter than that.

        The clock is asked for the quickest of five: the others may have waited for the processor.
        """
        assert doorbell.PATIENCE < 0.3
        tried: list[object] = []
        connect = socket.socket.connect

        def counted(self: socket.socket, address: Any) -> None:
            tried.append(address)
            connect(self, address)

        monkeypatch.setattr(socket.socket, "connect", counted)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            if kind == "takes the call and says nothing":
                listener.listen(16)
            port = listener.getsockname()[1]
            missing = f"redis+socket://{tmp_path}/none.sock?virtual_host=0"
            broker.conf.update(broker_url=missing if kind == "no socket" else f"redis://127.0.0.1:{port}/0")
            with pytest.raises(Unavailable):
                doorbell.send("outbox.deliver", "1")  # loads the transport
            took = []
            for _ in range(5):
                tried.clear()
                started = time.monotonic()
                with pytest.raises(Unavailable) as caught:
                    doorbell.send("outbox.deliver", "1")
                took.append(time.monotonic() - started)
                assert caught.value.code == "broker-unavailable"
                assert len(tried) == 1
            assert min(took) < 0.3
            assert not doorbell.answers()


@pytest.mark.django_db
def test_a_slot_is_claimed_once_and_the_next_one_again() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        assert jobs.claim_slot("outbox.sweep", 10)
        assert not jobs.claim_slot("outbox.sweep", 10)
        assert jobs.claim_slot("portal.clean", 10)
        clock.shift(5)  # 12:00:10
        assert jobs.claim_slot("outbox.sweep", 10)
    assert JobSlot.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_nodes_one_claims_the_slot() -> None:
    with time_machine.travel(MOMENT, tick=False):
        outcomes = race(16, lambda number: jobs.claim_slot("portal.clean", 600))
    assert sorted(map(str, outcomes)) == ["False"] * 15 + ["True"]
    assert JobSlot.objects.count() == 1


@pytest.mark.django_db
def test_the_last_sign_of_life_of_any_worker_counts() -> None:
    assert jobs.worker_seen_at() is None
    with time_machine.travel(MOMENT, tick=False) as clock:
        jobs.note_worker("one")
        clock.shift(timedelta(seconds=15))
        jobs.note_worker("two")
        clock.shift(timedelta(seconds=15))
        jobs.note_worker("two")
    assert jobs.worker_seen_at() == MOMENT + timedelta(seconds=30)
    assert WorkerBeat.objects.count() == 2


@pytest.mark.django_db
def test_the_beat_task_names_this_host() -> None:
    tasks.beat()
    assert WorkerBeat.objects.get().worker == socket.gethostname()


def test_every_scheduled_task_of_the_portal_and_the_outbox_exists() -> None:
    from django.conf import settings

    import portal.outbox.tasks  # noqa: F401
    from portal.celery import app

    ours = ("portal.", "outbox.")
    scheduled = {str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    app.finalize()
    assert {name for name in scheduled if name.startswith(ours)} <= set(app.tasks)
