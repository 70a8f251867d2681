import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from portal import idempotency
from portal.core.errors import Conflict, DomainError, InvalidInput
from portal.idempotency import Fresh, Replay
from portal.models import StoredAnswer
from portal.tests.threads import race

MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
PATH = "/v1/device/status"
BODY = b'{"deviceId":"one"}'
ANSWER = '{"nickname":"Žana’s phone"}'.encode()
HEADERS = {"Content-Type": "application/json", "X-Request-Id": "r1", "Set-Cookie": "a=b"}


def begin(
    *, key: str = "k-1", body: bytes = BODY, client: int = 1, user: str = "ann", path: str = PATH
) -> Fresh | Replay:
    return idempotency.begin(client_id=client, user_id=user, path=path, key=key, body=body)


def begin_fresh(*, key: str = "k-1", body: bytes = BODY) -> Fresh:
    fresh = begin(key=key, body=body)
    assert isinstance(fresh, Fresh)
    return fresh


def finish(fresh: Fresh, status: int = 200) -> None:
    idempotency.finish(fresh, status=status, headers=HEADERS, body=ANSWER)


def refusal(error: type[DomainError], *, key: str = "k-1", body: bytes = BODY) -> str:
    with pytest.raises(error) as caught:
        begin(key=key, body=body)
    return caught.value.code


@pytest.mark.django_db
def test_a_repeat_gets_the_first_answer() -> None:
    finish(begin_fresh(), status=201)
    assert begin() == Replay(201, {"Content-Type": "application/json"}, ANSWER)
    assert begin() == Replay(201, {"Content-Type": "application/json"}, ANSWER)


@pytest.mark.django_db
def test_an_answer_without_body_and_one_of_any_bytes_come_back_whole() -> None:
    for key, body in [("empty", b""), ("bytes", bytes(range(256)))]:
        idempotency.finish(begin_fresh(key=key), status=200, headers={}, body=body)
        assert begin(key=key) == Replay(200, {}, body)


@pytest.mark.django_db
def test_another_body_with_the_same_key_is_refused() -> None:
    finish(begin_fresh())
    assert refusal(InvalidInput, body=b'{"deviceId":"two"}') == "idempotency-key-reused"
    assert StoredAnswer.objects.get().status == 200


@pytest.mark.django_db
def test_another_client_user_or_path_has_keys_of_its_own() -> None:
    finish(begin_fresh())
    assert isinstance(begin(client=2), Fresh)
    assert isinstance(begin(user="bob"), Fresh)
    assert isinstance(begin(path="/v1/device/pin"), Fresh)
    assert StoredAnswer.objects.count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "new\nline", "é", "\x7f", "trailing\n"])
def test_a_key_that_is_not_printable_ascii_of_1_to_255_is_refused(key: str) -> None:
    assert refusal(InvalidInput, key=key) == "idempotency-key-invalid"
    assert not StoredAnswer.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["x", "x" * 255, '"3f2c 41"', "~!"])
def test_every_other_key_is_taken(key: str) -> None:
    assert isinstance(begin(key=key), Fresh)


@pytest.mark.django_db
@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_an_answer_that_a_repeat_should_not_get_is_not_kept(status: int) -> None:
    finish(begin_fresh(), status=status)
    assert isinstance(begin(), Fresh)


@pytest.mark.django_db
@pytest.mark.parametrize("status", [400, 403, 404, 409, 440])
def test_a_refusal_is_an_answer_too(status: int) -> None:
    finish(begin_fresh(), status=status)
    assert begin() == Replay(status, {"Content-Type": "application/json"}, ANSWER)


@pytest.mark.django_db
def test_an_abandoned_key_is_free_again() -> None:
    idempotency.abandon(begin_fresh())
    assert isinstance(begin(body=b"another"), Fresh)


@pytest.mark.django_db
def test_an_answer_that_was_not_kept_is_not_made_twice() -> None:
    idempotency.finish_unkept(begin_fresh())
    assert refusal(Conflict) == "answer-not-kept"


def secret(body: bytes) -> Fresh | Replay:
    return idempotency.begin(client_id=1, user_id="ann", path=PATH, key="k-1", body=body, secret=True)


@pytest.mark.django_db
def test_a_key_tells_once_that_another_secret_came_with_it() -> None:
    fresh = secret(BODY)
    assert isinstance(fresh, Fresh)
    finish(fresh)
    assert secret(BODY) == Replay(200, {"Content-Type": "application/json"}, ANSWER)
    with pytest.raises(InvalidInput) as first:
        secret(b"another")
    assert first.value.code == "idempotency-key-reused"
    row = StoredAnswer.objects.get()
    assert (row.body_digest, row.answer_sealed) == ("", "")
    for guess in (BODY, b"another", b"a third"):
        with pytest.raises(Conflict) as later:
            secret(guess)
        assert later.value.code == "answer-not-kept"


@pytest.mark.django_db
@pytest.mark.parametrize("guess", [BODY, b"another"])
def test_while_a_secret_body_is_at_work_nothing_is_compared(guess: bytes) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        fresh = secret(BODY)
        assert isinstance(fresh, Fresh)
        with pytest.raises(Conflict) as caught:
            secret(guess)
        assert caught.value.code == "idempotency-key-in-use"
        idempotency.finish(fresh, status=503, headers=HEADERS, body=ANSWER)
        assert not StoredAnswer.objects.exists()
        fresh = secret(BODY)
        assert isinstance(fresh, Fresh)
        finish(fresh)
        clock.shift(timedelta(hours=24))
        assert isinstance(secret(guess), Fresh)


@pytest.mark.django_db
def test_the_second_call_waits_for_the_first_for_a_minute_and_then_does_the_work() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        dead = begin_fresh()
        clock.shift(timedelta(seconds=59))
        assert refusal(Conflict) == "idempotency-key-in-use"
        clock.shift(timedelta(seconds=1))
        second = begin_fresh()
        assert refusal(Conflict) == "idempotency-key-in-use"
        finish(dead, status=400)  # it was not dead, only slow: its answer is not kept any more
        idempotency.abandon(dead)
        finish(second, status=200)
        assert begin() == Replay(200, {"Content-Type": "application/json"}, ANSWER)


@pytest.mark.django_db
def test_an_answer_counts_for_24_hours() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        finish(begin_fresh())
        clock.shift(timedelta(hours=24, seconds=-1))
        assert isinstance(begin(), Replay)
        clock.shift(timedelta(seconds=1))
        finish(begin_fresh(body=b"another"), status=202)
        assert begin(body=b"another") == Replay(202, {"Content-Type": "application/json"}, ANSWER)


@pytest.mark.django_db
def test_a_call_costs_two_queries_at_most() -> None:
    with CaptureQueriesContext(connection) as first:
        finish(begin_fresh())
    assert statements(first) == ["INSERT", "UPDATE"]
    with CaptureQueriesContext(connection) as second:
        begin()
    assert statements(second) == ["INSERT", "SELECT"]


def statements(captured: CaptureQueriesContext) -> list[str]:
    """The verbs, without those that only mark a transaction."""
    verbs = [query["sql"].split()[0] for query in captured.captured_queries]
    return [verb for verb in verbs if verb in {"SELECT", "INSERT", "UPDATE", "DELETE"}]


@pytest.mark.django_db
def test_body_answer_and_key_are_unreadable_in_the_table() -> None:
    fresh = begin_fresh(key="the-key-itself")
    finish(fresh)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM portal_storedanswer")
        raw = repr(cursor.fetchall())
    for text in ["deviceId", "phone", "the-key-itself", "ann", PATH, "a=b"]:
        assert text not in raw


@pytest.mark.django_db(transaction=True)
def test_it_is_not_called_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        begin()


@pytest.mark.django_db(transaction=True)
def test_of_32_racing_calls_one_does_the_work_and_all_others_get_its_answer_or_wait() -> None:
    done: list[int] = []
    guard = threading.Lock()

    def call(number: int) -> str:
        try:
            outcome = begin()
        except Conflict as error:
            return error.code
        if isinstance(outcome, Replay):
            return f"replay {outcome.status}"
        with guard:
            done.append(number)
        finish(outcome, status=201)
        return "did it"

    outcomes = race(32, call)
    assert len(done) == 1
    assert outcomes.count("did it") == 1
    assert set(outcomes) <= {"did it", "replay 201", "idempotency-key-in-use"}
    assert StoredAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_16_calls_one_takes_a_dead_claim_over() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        begin()
        clock.shift(timedelta(minutes=2))
        outcomes = race(16, lambda number: begin())
    assert sum(isinstance(outcome, Fresh) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 15
