"""Sending a message again that was given up."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import connection

from portal import jobs
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, ActorKind, Channel
from portal.core.errors import DomainError, Forbidden, InvalidInput, InvalidState, NotFound
from portal.outbox import operations
from portal.outbox.gateways import GatewayError, Outgoing
from portal.outbox.models import Message, MessageState
from portal.outbox.resending import resend_message
from portal.outbox.tests.factories import BANK, BODY, OTHER_BANK, RECIPIENT, make_message
from portal.outbox.tests.test_operations import FakeGateway, use
from portal.tests.threads import race

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
REASON = "The provider is back"


def staff(*capabilities: str, bank_id: UUID = BANK) -> Actor:
    return Actor(
        kind=ActorKind.STAFF,
        id="bea",
        label="Bea",
        channel=Channel.PORTAL,
        bank_id=bank_id,
        capabilities=frozenset(capabilities),
    )


BEA = staff("outbox.read", "outbox.resend")


def failed(monkeypatch: pytest.MonkeyPatch, *, bank_id: UUID = BANK) -> Message:
    message = make_message(bank_id=bank_id)
    use(monkeypatch, FakeGateway(GatewayError("SMS gateway answered 400", retry=False)))
    assert operations.deliver(message.pk) == MessageState.FAILED
    message.refresh_from_db()
    return message


@pytest.mark.django_db(transaction=True)
def test_a_failed_message_is_tried_again_from_now_on_and_the_log_says_by_whom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with time_machine.travel(MOMENT, tick=False) as traveller:
        message = failed(monkeypatch)
        traveller.shift(timedelta(days=3))
        with jobs.recorded() as rung:
            resend_message(actor=BEA, message_id=message.pk, reason=REASON)
            assert rung == [jobs.Ring("outbox.deliver", str(message.pk))]
        message.refresh_from_db()
        assert (message.state, message.attempts, message.next_try_at) == (
            MessageState.PENDING,
            0,
            MOMENT + timedelta(days=3),
        )
        gateway = use(monkeypatch, FakeGateway())
        assert operations.deliver(message.pk) == MessageState.SENT
    assert [(one.recipient, one.body) for one in gateway.sent] == [(RECIPIENT, BODY)]
    event = AuditEvent.objects.get()
    assert (event.event, event.object_type, event.object_id) == ("message.resent", "message", str(message.pk))
    assert (event.actor_label, event.reason, event.object_label) == ("Bea", REASON, "sms “code”")
    assert event.data == (
        '{"after":{"state":"pending","tries":0},'
        '"before":{"error":"SMS gateway answered 400","state":"failed","tries":1}}'
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM audit_auditevent")
        assert "4567" not in repr(cursor.fetchall())


def test_it_gets_as_many_tries_as_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(MOMENT, tick=False) as traveller:
        message = failed(monkeypatch)
        resend_message(actor=BEA, message_id=message.pk, reason=REASON)
        gateway = use(monkeypatch, FakeGateway(*[GatewayError("busy", retry=True) for _ in range(8)]))
        for _ in range(8):
            operations.deliver(message.pk)
            traveller.shift(timedelta(hours=1))
    message.refresh_from_db()
    assert (message.state, message.attempts, len(gateway.sent)) == (MessageState.FAILED, 8, 8)
    # The provider that refused it may answer by the key; so the tries of a resend have one key, and it is a new one.
    assert len({sent.key for sent in gateway.sent}) == 1
    assert gateway.sent[0].key != message.pk


@pytest.mark.parametrize("state", [MessageState.PENDING, MessageState.SENDING])
def test_one_that_is_on_its_way_stays_as_it_is(state: str) -> None:
    message = make_message()
    Message.objects.update(state=state, attempts=3)
    row = Message.objects.values().get()
    resend_message(actor=BEA, message_id=message.pk, reason=REASON)
    assert Message.objects.values().get() == row
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("actor", "reason", "kind", "code"),
    [
        (staff("outbox.read"), REASON, Forbidden, "capability-missing"),
        (staff("outbox.resend", bank_id=OTHER_BANK), REASON, NotFound, "not-found"),
        (BEA, "", InvalidInput, "invalid-input"),
        (BEA, "  ", InvalidInput, "invalid-input"),
        (BEA, "x" * 501, InvalidInput, "invalid-input"),
        (BEA, "two\nlines", InvalidInput, "invalid-input"),
    ],
)
def test_a_refusal_changes_nothing(
    actor: Actor, reason: str, kind: type[DomainError], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = failed(monkeypatch)
    row = Message.objects.values().get()
    with pytest.raises(kind) as caught:
        resend_message(actor=actor, message_id=message.pk, reason=reason)
    assert caught.value.code == code
    assert Message.objects.values().get() == row
    assert not AuditEvent.objects.exists()


def test_who_may_not_is_told_so_whether_or_not_there_is_a_message() -> None:
    with pytest.raises(Forbidden):
        resend_message(actor=staff("outbox.read"), message_id=uuid4(), reason=REASON)
    with pytest.raises(NotFound):
        resend_message(actor=BEA, message_id=uuid4(), reason=REASON)


def test_what_was_sent_is_wiped_and_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeGateway())
    message = make_message()
    operations.deliver(message.pk)
    with pytest.raises(InvalidState) as caught:
        resend_message(actor=BEA, message_id=message.pk, reason=REASON)
    assert caught.value.code == "message-sent"
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_who_send_it_again_at_once_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    message = failed(monkeypatch)
    outcomes = race(16, lambda number: resend_message(actor=BEA, message_id=message.pk, reason=REASON).state)
    assert outcomes == [MessageState.PENDING] * 16
    assert AuditEvent.objects.count() == 1


def test_a_worker_from_before_does_not_settle_the_new_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim has the number of a new one, so that only the claim's moment tells them apart."""
    message = make_message()

    class Slow(FakeGateway):
        def send(self, outgoing: Outgoing) -> None:
            Message.objects.update(state=MessageState.FAILED, next_try_at=MOMENT)
            resend_message(actor=BEA, message_id=message.pk, reason=REASON)
            Message.objects.update(state=MessageState.SENDING, attempts=1, claim_until=MOMENT + timedelta(hours=9))
            raise GatewayError("time-out", retry=True)

    use(monkeypatch, Slow())
    with time_machine.travel(MOMENT, tick=False):
        Message.objects.update(next_try_at=MOMENT)
        assert operations.deliver(message.pk) is None
    message.refresh_from_db()
    assert (message.state, message.last_error) == (MessageState.SENDING, "")
