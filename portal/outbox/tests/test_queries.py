from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from portal.core.actor import Actor, ActorKind, Channel
from portal.core.errors import Forbidden, NotFound
from portal.outbox import operations, queries
from portal.outbox.models import Message, MessageState
from portal.outbox.queries import sink_messages_visible_to
from portal.outbox.tests.factories import BANK, BODY, OTHER_BANK, RECIPIENT, make_message

MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def staff(*capabilities: str, bank_id: UUID = BANK) -> Actor:
    return Actor(
        kind=ActorKind.STAFF,
        id=str(uuid4()),
        label="Ana",
        channel=Channel.PORTAL,
        bank_id=bank_id,
        capabilities=frozenset(capabilities),
    )


def delivered(*, bank_id: UUID = BANK, body: str = BODY) -> Message:
    message = make_message(bank_id=bank_id, body=body, subject="A code")
    assert operations.deliver(message.pk) == MessageState.SENT
    return message


@pytest.mark.django_db
def test_the_sink_shows_a_message_as_its_reader_saw_it() -> None:
    message = delivered()
    (shown,) = sink_messages_visible_to(staff("outbox.read")).items
    assert (shown.id, shown.kind, shown.recipient) == (message.pk, "sms", RECIPIENT)
    assert shown.text == f"A code\n\n{BODY}"


@pytest.mark.django_db
def test_the_sink_is_read_newest_first_in_pages_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    written = [delivered(body=str(number)).pk for number in range(5)]
    first = sink_messages_visible_to(staff("outbox.read"))
    second = sink_messages_visible_to(staff("outbox.read"), cursor=first.next_cursor)
    third = sink_messages_visible_to(staff("outbox.read"), cursor=second.next_cursor)
    back = sink_messages_visible_to(staff("outbox.read"), cursor=second.previous_cursor)
    seen = [message.id for page in (first, second, third) for message in page.items]
    assert seen == list(reversed(written))
    assert back.items == first.items
    assert (first.previous_cursor, third.next_cursor) == (None, None)


@pytest.mark.django_db
def test_the_sink_of_another_bank_is_not_shown() -> None:
    delivered(bank_id=OTHER_BANK)
    assert sink_messages_visible_to(staff("outbox.read")).items == ()
    assert len(sink_messages_visible_to(Actor.system("test")).items) == 1


@pytest.mark.django_db
def test_a_page_of_the_sink_is_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(3):
        delivered()
    with django_assert_num_queries(1):
        sink_messages_visible_to(staff("outbox.read"))


@pytest.mark.django_db
def test_the_sink_needs_the_capability() -> None:
    with pytest.raises(Forbidden):
        sink_messages_visible_to(staff("devices.read"))


@pytest.mark.django_db
def test_there_is_no_sink_outside_the_demo(settings: LazySettings) -> None:
    settings.DEMO = False
    with pytest.raises(NotFound):
        sink_messages_visible_to(staff("outbox.read"))
