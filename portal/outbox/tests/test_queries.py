"""The ledger: where messages are on their way, for those who may look."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from portal.core.actor import Actor, ActorKind, Channel
from portal.core.errors import Forbidden, NotFound
from portal.outbox import operations, queries
from portal.outbox.gateways import GatewayError, Outgoing
from portal.outbox.models import Message, MessageKind, MessageState
from portal.outbox.queries import Count, count_by_state, ledger, ledger_entry
from portal.outbox.tests.factories import BANK, BODY, OTHER_BANK, RECIPIENT, make_message

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def staff(*capabilities: str, bank_id: UUID = BANK) -> Actor:
    return Actor(
        kind=ActorKind.STAFF,
        id=str(uuid4()),
        label="Bea",
        channel=Channel.PORTAL,
        bank_id=bank_id,
        capabilities=frozenset(capabilities),
    )


READER = staff("outbox.read")


class Refusing:
    def __init__(self, *, retry: bool) -> None:
        self.retry = retry

    def send(self, message: Outgoing) -> None:
        raise GatewayError("SMS gateway answered 503", retry=self.retry)


def sent(*, bank_id: UUID = BANK, body: str = BODY) -> Message:
    message = make_message(bank_id=bank_id, body=body, subject="A code")
    assert operations.deliver(message.pk) == MessageState.SENT
    return message


def failed(monkeypatch: pytest.MonkeyPatch, *, retry: bool = False) -> Message:
    message = make_message()
    with monkeypatch.context() as patch:
        patch.setattr(operations, "gateway_for", lambda kind: Refusing(retry=retry))
        operations.deliver(message.pk)
    return message


def test_in_the_demo_a_message_is_shown_as_its_reader_saw_it() -> None:
    message = sent()
    [shown] = ledger(READER).items
    assert (shown.id, shown.kind, shown.recipient, shown.state) == (message.pk, "sms", RECIPIENT, "sent")
    assert shown.text == f"A code\n\n{BODY}"


@pytest.mark.parametrize("delivered", [True, False])
def test_in_production_nobody_is_shown_what_a_message_says_or_its_whole_recipient(
    delivered: bool, settings: LazySettings
) -> None:
    _ = sent() if delivered else make_message(subject="A code")
    settings.DEMO = False
    [shown] = ledger(READER).items
    assert (shown.text, shown.recipient, shown.subject) == ("", "•••4567", "A code")
    assert BODY not in repr(shown)
    assert RECIPIENT not in repr(shown)


def test_what_waits_says_when_it_is_tried_again_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(MOMENT, tick=False):
        failed(monkeypatch, retry=True)
        [shown] = ledger(READER).items
    assert (shown.state, shown.tries, shown.last_error) == ("pending", 1, "SMS gateway answered 503")
    assert shown.next_try_at is not None
    assert MOMENT < shown.next_try_at <= MOMENT + timedelta(seconds=30)
    assert (shown.sent_at, shown.given_up_at, shown.can_resend) == (None, None, False)


def test_what_was_given_up_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(MOMENT, tick=False):
        message = failed(monkeypatch)
    found, shown = ledger_entry(staff("outbox.read", "outbox.resend"), message.pk)
    assert found == message
    assert (shown.state, shown.given_up_at, shown.next_try_at) == ("failed", MOMENT, None)
    assert shown.can_resend
    assert not ledger_entry(READER, message.pk)[1].can_resend


def test_the_ledger_is_read_newest_first_in_pages_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    written = [make_message().pk for _ in range(5)]
    first = ledger(READER)
    second = ledger(READER, cursor=first.next_cursor)
    third = ledger(READER, cursor=second.next_cursor)
    back = ledger(READER, cursor=second.previous_cursor)
    assert [entry.id for page in (first, second, third) for entry in page.items] == list(reversed(written))
    assert back.items == first.items
    assert (first.previous_cursor, third.next_cursor) == (None, None)


def test_it_is_filtered_by_state_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    done, given_up = sent(), failed(monkeypatch)
    push = make_message(kind=MessageKind.PUSH, recipient="gcm:handle-1")
    assert [entry.id for entry in ledger(READER, state="sent").items] == [done.pk]
    assert [entry.id for entry in ledger(READER, state="failed", kind="sms").items] == [given_up.pk]
    assert [entry.id for entry in ledger(READER, kind="push").items] == [push.pk]
    assert ledger(READER, state="failed", kind="push").items == ()
    assert len(ledger(READER, state="nonsense", kind="nonsense").items) == 3


def test_states_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "COUNTED_UP_TO", 2)
    for _ in range(3):
        make_message()
    sent()
    failed(monkeypatch)
    failed(monkeypatch)
    assert count_by_state(READER) == {
        "pending": Count(2, True),
        "sending": Count(0, False),
        "sent": Count(1, False),
        "failed": Count(2, False),
    }


def test_another_banks_messages_are_unknown() -> None:
    message = sent(bank_id=OTHER_BANK)
    assert ledger(READER).items == ()
    assert count_by_state(READER)["sent"] == Count(0, False)
    with pytest.raises(NotFound):
        ledger_entry(READER, message.pk)
    assert len(ledger(Actor.system("test")).items) == 1
    assert ledger(Actor.system("test", bank_id=BANK)).items == ()


@pytest.mark.parametrize("demo", [True, False])
def test_a_page_is_one_query_however_many_there_are(
    demo: bool, settings: LazySettings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        sent()
    settings.DEMO = demo
    with django_assert_num_queries(1):
        assert len(ledger(READER).items) == 25
    with django_assert_num_queries(4):
        count_by_state(READER)


def test_reading_needs_the_capability_whether_or_not_there_is_a_message() -> None:
    message = make_message()
    for key in (message.pk, uuid4()):
        with pytest.raises(Forbidden) as caught:
            ledger_entry(staff("devices.read"), key)
        assert caught.value.code == "capability-missing"
    for read in (ledger, count_by_state):
        with pytest.raises(Forbidden):
            read(staff("devices.read"))
