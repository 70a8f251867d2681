from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from portal.audit import log
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.audit.queries import (
    DayOfActivity,
    EventFilter,
    activity_by_day,
    events_visible_to,
    matching,
    page_of,
    timeline_of,
)
from portal.audit.tests.factories import BANK, OTHER_BANK, make_actor, write_event, write_events
from portal.core.actor import Actor
from portal.core.errors import Forbidden

pytestmark = pytest.mark.django_db
AUDITOR = make_actor()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2024, 12, 14, 12, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def test_an_auditor_sees_the_own_bank_newest_first() -> None:
    own = write_events(3)
    write_event(make_actor(bank_id=OTHER_BANK))
    write_event(make_actor(bank_id=None))
    assert [event.pk for event in events_visible_to(AUDITOR)] == [event.pk for event in reversed(own)]


def test_the_system_sees_all_or_one_bank() -> None:
    write_event()
    write_event(make_actor(bank_id=OTHER_BANK))
    assert events_visible_to(Actor.system("export")).count() == 2
    assert events_visible_to(Actor.system("export", bank_id=BANK)).count() == 1


def test_without_the_capability_nobody_browses() -> None:
    with pytest.raises(Forbidden) as refused:
        events_visible_to(make_actor(capabilities=frozenset({"devices.read"})))
    assert refused.value.details == {"capability": "audit.read"}


def test_an_auditor_of_no_bank_sees_nothing() -> None:
    write_event(make_actor(bank_id=None))
    assert events_visible_to(make_actor(bank_id=None)).count() == 0


def test_each_filter_narrows(clock: time_machine.Traveller) -> None:
    write_event(make_actor(name="piotr"))
    write_event(event=Event.DEVICE_BLOCKED)
    with transaction.atomic():
        log.record_refusal(AUDITOR, Event.SECOND_FACTOR_REFUSED, None, code="wrong-code")
        log.record(AUDITOR, Event.DEVICE_UPDATED, AuditEvent(pk=BANK, bank_id=BANK))
    events = events_visible_to(AUDITOR)

    def names(wanted: EventFilter) -> list[str]:
        return sorted(matching(events, wanted).values_list("event", flat=True))

    assert len(names(EventFilter())) == 4
    assert names(EventFilter(event="device.blocked")) == ["device.blocked"]
    assert names(EventFilter(actor_id="id-of-piotr")) == ["device.activated"]
    assert names(EventFilter(outcome="refused")) == ["second-factor.refused"]
    assert names(EventFilter(object_type="auditevent", object_id=str(BANK))) == ["device.updated"]
    assert names(EventFilter(object_type="auditevent", event="device.blocked")) == []


def test_both_days_of_a_range_belong_to_it(clock: time_machine.Traveller) -> None:
    for moment in (
        datetime(2024, 12, 1, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(2024, 12, 2, tzinfo=UTC),
        datetime(2024, 12, 3, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(2024, 12, 4, tzinfo=UTC),
    ):
        clock.move_to(moment)
        write_event()
    events = matching(
        events_visible_to(AUDITOR), EventFilter(first_day=date(2024, 12, 2), last_day=date(2024, 12, 3))
    )
    assert [event.at.day for event in events] == [3, 2]


def test_pages_go_there_and_back_without_gap_or_repeat() -> None:
    written = [event.pk for event in write_events(7)][::-1]
    events = events_visible_to(AUDITOR)
    first = page_of(events, size=3)
    second = page_of(events, first.next_cursor, size=3)
    third = page_of(events, second.next_cursor, size=3)
    assert [[event.pk for event in page.items] for page in (first, second, third)] == [
        written[:3],
        written[3:6],
        written[6:],
    ]
    assert (first.previous_cursor, third.next_cursor) == (None, None)
    assert page_of(events, third.previous_cursor, size=3).items == second.items


def test_a_page_is_one_query() -> None:
    write_events(3)
    with CaptureQueriesContext(connection) as queries:
        page_of(events_visible_to(AUDITOR), size=2)
    assert len(queries) == 1


def test_the_timeline_of_one_object() -> None:
    thing, other = AuditEvent(pk=BANK), AuditEvent(pk=OTHER_BANK)
    for event, obj in (
        (Event.DEVICE_REGISTERED, thing),
        (Event.DEVICE_BLOCKED, other),
        (Event.DEVICE_UPDATED, thing),
    ):
        log.record(AUDITOR, event, obj)
    assert [event.event for event in timeline_of("auditevent", BANK)] == ["device.updated", "device.registered"]


def test_activity_is_counted_by_day_and_outcome_in_one_query(clock: time_machine.Traveller) -> None:
    for day, done, refused in ((1, 2, 0), (2, 1, 1), (14, 3, 2), (13, 0, 1)):
        clock.move_to(datetime(2024, 12, day, 8, tzinfo=UTC))
        for _ in range(done):
            write_event()
        for _ in range(refused):
            log.refuse(AUDITOR, Event.REQUEST_REFUSED, code="forbidden")
    clock.move_to(datetime(2024, 11, 30, 23, 59, tzinfo=UTC))
    write_event()
    clock.move_to(datetime(2024, 12, 14, 23, 59, tzinfo=UTC))
    write_event(make_actor(bank_id=OTHER_BANK))
    with CaptureQueriesContext(connection) as queries:
        activity = activity_by_day(BANK)
    assert len(queries) == 1
    assert [day.day for day in activity] == [date(2024, 12, day) for day in range(1, 15)]
    assert [day for day in activity if day.done or day.refused] == [
        DayOfActivity(date(2024, 12, 1), 2, 0),
        DayOfActivity(date(2024, 12, 2), 1, 1),
        DayOfActivity(date(2024, 12, 13), 0, 1),
        DayOfActivity(date(2024, 12, 14), 3, 2),
    ]
