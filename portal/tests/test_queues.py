from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import LazySettings

from portal import jobs
from portal.outbox import operations
from portal.outbox.models import Message, MessageState
from portal.outbox.tests.factories import make_message
from portal.queues import QueueHealth, outbox_health, queue_health, worker_health

MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_the_outbox_is_healthy_when_it_is_empty_and_while_a_message_is_young() -> None:
    nothing = [QueueHealth("outbox", 0, None, True), QueueHealth("outbox-failed", 0, None, True)]
    assert outbox_health() == nothing
    with time_machine.travel(MOMENT, tick=False) as clock:
        make_message()
        clock.shift(timedelta(seconds=300))
        make_message()
        assert outbox_health()[0] == QueueHealth("outbox", 2, 300.0, True)


def test_a_message_that_waits_too_long_is_told_with_its_reason(settings: LazySettings) -> None:
    settings.DEMO, settings.EMAIL_HOST_GIVEN = False, False
    with time_machine.travel(MOMENT, tick=False) as clock:
        message = make_message()
        operations.deliver(message.pk)
        clock.shift(timedelta(seconds=301))
        assert outbox_health()[0] == QueueHealth("outbox", 1, 301.0, False, "no gateway for sms")


def test_a_message_given_up_is_told_for_a_day() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        message = make_message()
        Message.objects.update(body_sealed="t1.AAAA")
        assert operations.deliver(message.pk) == MessageState.FAILED
        assert outbox_health()[1] == QueueHealth("outbox-failed", 1, None, False)
        clock.shift(timedelta(hours=24))
        assert outbox_health()[1] == QueueHealth("outbox-failed", 0, None, True)


def test_a_worker_is_missed_after_a_minute() -> None:
    assert worker_health() == QueueHealth("worker", 0, None, False, "no worker was seen")
    with time_machine.travel(MOMENT, tick=False) as clock:
        jobs.note_worker("one")
        clock.shift(59)
        assert worker_health() == QueueHealth("worker", 0, 59.0, True)
        clock.shift(1)
        assert not worker_health().ok


def test_every_queue_is_told() -> None:
    assert [queue.name for queue in queue_health()] == ["outbox", "outbox-failed", "audit", "worker", "crl"]
