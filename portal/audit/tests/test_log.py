import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
import time_machine
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from portal.audit import encoding, log
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.audit.testing import without_triggers
from portal.audit.tests.factories import BANK, OTHER_BANK, make_actor, write_event
from portal.core.actor import Actor, Channel
from portal.models import WorkerBeat

OBJECT = AuditEvent(id=UUID(int=7), bank_id=OTHER_BANK, event="thing")


def test_columns_are_all_in_the_encoding() -> None:
    assert set(encoding.WHOLE_ROW) == {field.attname for field in AuditEvent._meta.concrete_fields}
    assert encoding.WHOLE_ROW[-2:] == ("mac_key", "mac")


@pytest.mark.django_db
def test_an_event_says_who_what_on_what_and_why() -> None:
    actor = make_actor().claiming(adminId="a-17")
    written = log.record(
        actor,
        "device.activated",
        OBJECT,
        before="inactive",
        after={"status": "active"},
        reason="Asked by phone",
        details={"sessions": 2, "when": datetime(2024, 12, 1, tzinfo=UTC), "kinds": {"b", "a"}},
    )
    event = AuditEvent.objects.get()
    assert event.pk == written.pk
    assert (event.event, event.outcome, event.code, event.reason) == (
        "device.activated",
        "done",
        "",
        "Asked by phone",
    )
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("staff", "id-of-olga", "Olga")
    assert (event.channel, event.ip, event.request_id) == ("portal", "192.0.2.7", "req-1")
    assert (event.object_type, event.object_id, event.object_label) == (
        "auditevent",
        str(OBJECT.pk),
        f"thing {OBJECT.pk}",
    )
    assert json.loads(event.data) == {
        "before": "inactive",
        "after": {"status": "active"},
        "details": {"sessions": 2, "when": "2024-12-01T00:00:00+00:00", "kinds": ["a", "b"]},
        "claims": {"adminId": "a-17"},
    }


@pytest.mark.django_db
def test_an_event_belongs_to_the_bank_of_its_object_else_of_its_actor() -> None:
    log.record(make_actor(), Event.DEVICE_UPDATED, OBJECT)
    log.record(make_actor(), Event.DEVICE_UPDATED, WorkerBeat(worker="w1"))
    log.record(make_actor(), Event.DEVICE_UPDATED, None)
    assert list(AuditEvent.objects.order_by("id").values_list("bank_id", flat=True)) == [OTHER_BANK, BANK, BANK]


@pytest.mark.django_db
def test_writing_is_one_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        log.record(make_actor(), Event.DEVICE_UPDATED, OBJECT)
    assert [query["sql"].split()[0] for query in queries] == ["INSERT"]


@pytest.mark.django_db
def test_what_is_read_back_has_the_mac_that_was_written() -> None:
    log.record(make_actor(), Event.DEVICE_UPDATED, OBJECT, reason="Ünïcode ✓ “quoted” \\", details={"a": ["é", None]})
    row = encoding.rows_of(AuditEvent.objects.all()).get()
    assert encoding.mac(encoding.encode(row), "a1") == row[-1]


@pytest.mark.django_db
def test_a_value_moved_to_the_next_column_has_another_mac() -> None:
    log.record(make_actor(name="ab"), Event.DEVICE_UPDATED, OBJECT)
    before = encoding.encode(encoding.rows_of(AuditEvent.objects.all()).get())
    with without_triggers():
        AuditEvent.objects.update(actor_id="id-of-a", actor_label="bAb")
    after = encoding.encode(encoding.rows_of(AuditEvent.objects.all()).get())
    assert before.replace(b'"id-of-ab","Ab"', b'"id-of-a","bAb"') == after != before


@pytest.mark.django_db
def test_texts_that_no_database_keeps_are_made_storable() -> None:
    log.record(make_actor(), Event.DEVICE_UPDATED, None, reason="a\0b\ud800c", details={"k\0": "v\udfff"})
    event = AuditEvent.objects.get()
    assert event.reason == "a\ufffdb\ufffdc"
    assert json.loads(event.data)["details"] == {"k\ufffd": "v\ufffd"}


@pytest.mark.django_db
def test_long_texts_are_cut_with_an_ellipsis() -> None:
    log.record(make_actor(name="x" * 300), Event.DEVICE_UPDATED, None, reason="r" * 5000)
    event = AuditEvent.objects.get()
    assert (len(event.actor_label), event.actor_label[-2:]) == (200, "x…")
    assert (len(event.reason), event.reason[-2:]) == (2000, "r…")


@pytest.mark.django_db
def test_an_unknown_event_is_a_mistake_in_the_code() -> None:
    with pytest.raises(ValueError, match=r"device\.exploded"):
        log.record(make_actor(), "device.exploded", None)
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_is_recorded_outside_a_transaction() -> None:
    with pytest.raises(RuntimeError):
        log.record(make_actor(), Event.DEVICE_UPDATED, None)
    with pytest.raises(RuntimeError):
        log.record_refusal(make_actor(), Event.SECOND_FACTOR_REFUSED, None, code="wrong-code")
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_action_leaves_no_event() -> None:
    with transaction.atomic():
        log.record(make_actor(), Event.DEVICE_UPDATED, None)
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_refusal_stands_by_itself() -> None:
    with CaptureQueriesContext(connection) as queries:
        log.refuse(make_actor(), Event.REQUEST_REFUSED, code="forbidden", object_type="device", object_id="d-1")
    assert [query["sql"].split()[0] for query in queries if query["sql"].startswith("INSERT")] == ["INSERT"]
    event = AuditEvent.objects.get()
    assert (event.outcome, event.code, event.object_type, event.object_id) == (
        "refused",
        "forbidden",
        "device",
        "d-1",
    )
    assert event.bank_id == BANK


@pytest.mark.django_db(transaction=True)
def test_a_refusal_inside_a_transaction_is_a_mistake_in_the_code() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        log.refuse(make_actor(), Event.REQUEST_REFUSED, code="forbidden")
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_failed_attempt_is_kept_with_its_counter() -> None:
    with transaction.atomic(durable=True):
        log.record_refusal(make_actor(), Event.SECOND_FACTOR_REFUSED, OBJECT, code="wrong-code", details={"left": 4})
    event = AuditEvent.objects.get()
    assert (event.outcome, event.code, event.bank_id) == ("refused", "wrong-code", OTHER_BANK)
    assert json.loads(event.data) == {"details": {"left": 4}}


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_logged_and_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(AuditEvent, "save", fail)
    log.refuse(make_actor(), Event.REQUEST_REFUSED, code="forbidden")
    assert [record.getMessage() for record in caplog.records] == ["a refusal could not be written to the audit log"]


@pytest.mark.django_db
def test_over_the_limit_is_one_event_for_each_caller_and_minute() -> None:
    cache.clear()
    olga, piotr = make_actor(name="olga"), make_actor(name="piotr")
    near = Actor.anonymous(Channel.ASSECO, ip="192.0.2.1")
    far = Actor.anonymous(Channel.ASSECO, ip="192.0.2.2")
    with time_machine.travel(datetime(2024, 12, 1, 14, 30, tzinfo=UTC), tick=False) as time:
        for _ in range(3):
            for actor in (olga, piotr, near, far):
                log.refuse_limited(actor, Event.REQUEST_REFUSED, code="rate-limited")
        assert AuditEvent.objects.count() == 4
        time.shift(60)
        assert log.refuse_limited(olga, Event.REQUEST_REFUSED, code="rate-limited")
        assert not log.refuse_limited(olga, Event.REQUEST_REFUSED, code="rate-limited")
    assert AuditEvent.objects.filter(actor_id="id-of-olga", code="rate-limited").count() == 2


@pytest.mark.django_db
def test_without_a_cache_every_refusal_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise ConnectionError("no cache")

    monkeypatch.setattr(cache, "add", fail)
    for _ in range(2):
        assert log.refuse_limited(make_actor(), Event.REQUEST_REFUSED, code="rate-limited")
    assert AuditEvent.objects.count() == 2


@pytest.mark.django_db
def test_ids_follow_the_order_of_writing() -> None:
    written = [write_event().pk for _ in range(20)]
    assert written == sorted(written)
