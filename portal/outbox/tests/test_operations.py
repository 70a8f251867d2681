import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction

from portal import jobs
from portal.core import clock
from portal.models import WorkerBeat
from portal.outbox import operations, recipients, tasks
from portal.outbox.gateways import GatewayError, Outgoing, RecipientGone
from portal.outbox.models import Message, MessageKind, MessageState, SinkDelivery
from portal.outbox.operations import deliver, hint, pause, sweep, write
from portal.outbox.tests.factories import BANK, BODY, RECIPIENT, make_message
from portal.tests.threads import race

MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class FakeGateway:
    """Notes what it was given; fails with each of `errors` in turn."""

    def __init__(self, *errors: Exception) -> None:
        self.sent: list[Outgoing] = []
        self._errors = list(errors)
        self._guard = threading.Lock()

    def send(self, message: Outgoing) -> None:
        with self._guard:
            self.sent.append(message)
            error = self._errors.pop(0) if self._errors else None
        if error:
            raise error


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    return use(monkeypatch, FakeGateway())


def use(monkeypatch: pytest.MonkeyPatch, gateway: FakeGateway | None) -> FakeGateway:
    monkeypatch.setattr(operations, "gateway_for", lambda kind: gateway)
    return gateway or FakeGateway()


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with time_machine.travel(MOMENT, tick=False):
        yield


@pytest.mark.django_db(transaction=True)
def test_a_message_is_written_inside_a_transaction_only() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        write(bank_id=BANK, kind="sms", recipient=RECIPIENT, template="code", body=BODY)  # type: ignore[arg-type]
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_message_rings_once_it_is_committed() -> None:
    with jobs.recorded() as rung:
        message = make_message()
        assert rung == [jobs.Ring("outbox.deliver", str(message.pk))]


@pytest.mark.django_db(transaction=True)
def test_a_message_is_rolled_back_with_its_cause_and_does_not_ring() -> None:
    with jobs.recorded() as rung:
        with transaction.atomic():
            make_message()
            transaction.set_rollback(True)
        assert rung == []
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_recipient_and_body_are_unreadable_in_the_tables_before_and_after_delivery() -> None:
    message = make_message(subject="A code")
    for _ in range(2):
        raw = raw_tables()
        assert RECIPIENT not in raw
        assert "911234567" not in raw
        assert "40319275" not in raw
        deliver(message.pk)
    assert SinkDelivery.objects.count() == 1


def raw_tables() -> str:
    with connection.cursor() as cursor:
        rows = []
        for table in ["outbox_message", "outbox_sinkdelivery"]:
            cursor.execute(f"SELECT * FROM {table}")
            rows += cursor.fetchall()
    return repr(rows)


@pytest.mark.django_db
def test_a_message_says_what_it_is_about() -> None:
    worker = WorkerBeat.objects.create(worker="one", seen_at=MOMENT)
    message = make_message(about=worker)
    assert (message.about_type, message.about_id) == ("workerbeat", "one")
    plain = make_message()
    assert (plain.about_type, plain.about_id) == ("", "")


@pytest.mark.django_db
@pytest.mark.parametrize(("recipient", "subject"), [("", "A code"), (RECIPIENT, "A\r\nBcc: eve@bank.example")])
def test_a_message_needs_a_recipient_and_a_subject_of_one_line(recipient: str, subject: str) -> None:
    with pytest.raises(ValueError, match="a recipient and a subject"):
        make_message(recipient=recipient, subject=subject)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        ("+385911234567", "•••4567"),
        ("12345678", "•••"),
        ("ana.horvat@bank.example", "•••at@"),
        ("ana@bank.example", "•••@"),
    ],
)
def test_the_hint_shows_the_end_of_a_long_recipient_only(recipient: str, shown: str) -> None:
    assert hint(recipient) == shown


@pytest.mark.django_db
def test_a_delivered_message_was_opened_and_is_wiped(gateway: FakeGateway) -> None:
    message = make_message(subject="A code")
    assert deliver(message.pk) == MessageState.SENT
    (outgoing,) = gateway.sent
    assert (outgoing.recipient, outgoing.subject, outgoing.body) == (RECIPIENT, "A code", BODY)
    assert "40319275" not in repr(outgoing)
    assert RECIPIENT not in repr(outgoing)
    message.refresh_from_db()
    assert (message.state, message.body_sealed, message.attempts) == (MessageState.SENT, "", 1)
    assert (message.sent_at, message.claim_until) == (MOMENT, None)


@pytest.mark.django_db
def test_a_doubled_ring_sends_once(gateway: FakeGateway) -> None:
    message = make_message()
    assert deliver(str(message.pk)) == MessageState.SENT
    assert deliver(str(message.pk)) is None
    assert len(gateway.sent) == 1


@pytest.mark.django_db
def test_a_ring_for_a_message_that_is_gone_does_nothing(gateway: FakeGateway) -> None:
    assert deliver("00000000-0000-7000-8000-000000000000") is None
    assert gateway.sent == []


@pytest.mark.django_db
def test_a_gateway_that_fails_for_now_is_tried_again_later_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = use(monkeypatch, FakeGateway(*[GatewayError("busy", retry=True) for _ in range(8)]))
    message = make_message()
    with time_machine.travel(MOMENT, tick=False) as traveller:
        for attempt in range(1, 8):
            assert deliver(message.pk) == MessageState.PENDING
            message.refresh_from_db()
            assert (message.attempts, message.last_error) == (attempt, "busy")
            wait = message.next_try_at - clock.now()
            full = timedelta(seconds=30 * 2 ** (attempt - 1))
            assert full / 2 <= wait <= full
            assert deliver(message.pk) is None  # it is not due
            traveller.shift(wait)
        assert deliver(message.pk) == MessageState.FAILED
        assert deliver(message.pk) is None
    assert len(gateway.sent) == 8
    message.refresh_from_db()
    assert (message.state, message.attempts, message.last_error) == (MessageState.FAILED, 8, "busy")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("after", "least", "most"),
    [
        (timedelta(minutes=5), timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(seconds=1), timedelta(seconds=15), timedelta(seconds=30)),
        (timedelta(hours=9), timedelta(hours=1), timedelta(hours=1)),
    ],
)
def test_a_receiver_says_how_long_to_wait_but_not_beyond_an_hour(
    after: timedelta, least: timedelta, most: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeGateway(GatewayError("busy", retry=True, after=after)))
    message = make_message()
    assert deliver(message.pk) == MessageState.PENDING
    message.refresh_from_db()
    assert least <= message.next_try_at - MOMENT <= most


@pytest.mark.django_db
def test_that_a_recipient_is_gone_is_told_once_with_the_bank_and_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(recipients, "_listeners", {"push": lambda *what: told.append(what)})
    use(monkeypatch, FakeGateway(RecipientGone("gone", since=MOMENT), RecipientGone("gone")))
    push = make_message(kind=MessageKind.PUSH, recipient="gcm:handle-1")
    assert deliver(push.pk) == MessageState.FAILED
    assert told == [(BANK, "gcm:handle-1", MOMENT)]
    assert deliver(make_message().pk) == MessageState.FAILED  # nobody wants to know of other kinds
    assert len(told) == 1


def test_the_pause_doubles_up_to_an_hour_and_is_spread() -> None:
    for attempts, seconds in [(1, 30), (2, 60), (7, 1920), (8, 3600), (20, 3600)]:
        pauses = {pause(attempts).total_seconds() for _ in range(50)}
        assert all(seconds / 2 <= found <= seconds for found in pauses)
        assert len(pauses) > 10


@pytest.mark.django_db
def test_a_gateway_that_fails_for_good_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = use(monkeypatch, FakeGateway(GatewayError("mail server answered 550", retry=False)))
    message = make_message()
    with caplog.at_level(logging.ERROR, "portal.outbox.operations"):
        assert deliver(message.pk) == MessageState.FAILED
    assert [record.getMessage() for record in caplog.records] == ["message failed"]
    assert sweep() == 0
    assert len(gateway.sent) == 1
    message.refresh_from_db()
    assert (message.state, message.last_error) == (MessageState.FAILED, "mail server answered 550")


@pytest.mark.django_db
def test_a_message_sealed_with_a_lost_key_fails_with_that_reason(gateway: FakeGateway) -> None:
    message = make_message()
    Message.objects.update(body_sealed="t1.AAAA")
    assert deliver(message.pk) == MessageState.FAILED
    message.refresh_from_db()
    assert message.last_error == "cannot be unsealed"
    assert gateway.sent == []


@pytest.mark.django_db
def test_a_worker_that_dies_before_the_send_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, gateway: FakeGateway
) -> None:
    message = make_message()
    with monkeypatch.context() as patch:
        patch.setattr(operations, "_opened", dies)
        with pytest.raises(SystemExit):
            deliver(message.pk)
    assert_sent_after_the_claim(message, gateway, sends=1)


@pytest.mark.django_db
def test_a_worker_that_dies_after_the_send_sends_again(monkeypatch: pytest.MonkeyPatch, gateway: FakeGateway) -> None:
    message = make_message()
    with monkeypatch.context() as patch:
        patch.setattr(operations, "_settle", dies)
        with pytest.raises(SystemExit):
            deliver(message.pk)
    assert_sent_after_the_claim(message, gateway, sends=2)
    assert {outgoing.id for outgoing in gateway.sent} == {message.pk}  # the receiver can tell


def dies(*args: object) -> None:
    raise SystemExit


def assert_sent_after_the_claim(message: Message, gateway: FakeGateway, *, sends: int) -> None:
    with time_machine.travel(MOMENT + timedelta(seconds=59), tick=False) as traveller:
        assert sweep() == 0
        traveller.shift(timedelta(seconds=1))
        assert sweep() == 1
        assert sweep() == 0
    message.refresh_from_db()
    assert (message.state, message.attempts) == (MessageState.SENT, 2)
    assert len(gateway.sent) == sends


@pytest.mark.django_db
def test_a_message_that_kills_each_worker_is_given_up(monkeypatch: pytest.MonkeyPatch, gateway: FakeGateway) -> None:
    message = make_message()
    with time_machine.travel(MOMENT, tick=False) as traveller, monkeypatch.context() as patch:
        patch.setattr(operations, "_opened", dies)
        for _ in range(8):
            with pytest.raises(SystemExit):
                deliver(message.pk)
            traveller.shift(timedelta(minutes=1))
        assert deliver(message.pk) == MessageState.FAILED
    message.refresh_from_db()
    assert (message.state, message.last_error) == (MessageState.FAILED, "no worker finished it")
    assert gateway.sent == []


@pytest.mark.django_db
def test_a_slow_worker_does_not_overwrite_what_another_wrote_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = make_message()

    class Slow(FakeGateway):
        def send(self, outgoing: Outgoing) -> None:
            use(monkeypatch, FakeGateway())
            with time_machine.travel(MOMENT + timedelta(minutes=2), tick=False):
                assert deliver(message.pk) == MessageState.SENT
            raise GatewayError("time-out", retry=True)

    use(monkeypatch, Slow())
    assert deliver(message.pk) is None
    message.refresh_from_db()
    assert (message.state, message.attempts, message.last_error) == (MessageState.SENT, 2, "")


@pytest.mark.django_db
def test_a_kind_without_gateway_waits_uncounted_until_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, None)
    message = make_message()
    with time_machine.travel(MOMENT, tick=False) as traveller:
        for _ in range(20):
            assert deliver(message.pk) is None
            traveller.shift(timedelta(minutes=10))
        message.refresh_from_db()
        assert (message.state, message.attempts) == (MessageState.PENDING, 0)
        assert message.last_error == "no gateway for sms"
        gateway = use(monkeypatch, FakeGateway())
        assert deliver(message.pk) == MessageState.SENT
    assert len(gateway.sent) == 1


@pytest.mark.django_db
def test_a_sweep_takes_what_nobody_rang_for_and_is_not_stopped_by_one_bad_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = use(monkeypatch, FakeGateway(KeyError("a fault of the gateway")))
    for _ in range(3):
        make_message()
    assert sweep() == 3
    states = sorted(Message.objects.values_list("state", flat=True))
    assert states == [MessageState.SENDING, MessageState.SENT, MessageState.SENT]
    assert [record.getMessage() for record in caplog.records] == ["message not delivered"]
    assert len(gateway.sent) == 3


@pytest.mark.django_db
def test_a_sweep_is_bounded(monkeypatch: pytest.MonkeyPatch, gateway: FakeGateway) -> None:
    monkeypatch.setattr(operations, "SWEEP_ROWS", 2)
    for _ in range(5):
        make_message()
    assert [sweep(), sweep(), sweep(), sweep()] == [2, 2, 1, 0]
    assert len(gateway.sent) == 5


@pytest.mark.django_db
def test_of_two_nodes_one_sweeps(gateway: FakeGateway) -> None:
    tasks.sweep()
    make_message()
    tasks.sweep()
    assert gateway.sent == []
    with time_machine.travel(MOMENT + timedelta(seconds=10), tick=False):
        tasks.sweep()
    assert len(gateway.sent) == 1


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_workers_one_sends(gateway: FakeGateway) -> None:
    message = make_message()
    outcomes = race(16, lambda number: deliver(message.pk))
    assert len(gateway.sent) == 1
    assert outcomes.count(MessageState.SENT) == 1
    assert outcomes.count(None) == 15


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_from_inside_a_transaction(gateway: FakeGateway) -> None:
    message = make_message()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        deliver(message.pk)
    assert gateway.sent == []
