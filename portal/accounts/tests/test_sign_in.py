"""The password step."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.conf import LazySettings

from devices.tests.factories import make_bank, make_customer, make_staff
from portal.accounts.backends import StaffBackend
from portal.accounts.models import User
from portal.accounts.operations.sign_in import check_password
from portal.accounts.tests.people import events
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError, Locked, VerificationFailed

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough password"
STRANGER = Actor.anonymous(Channel.PORTAL, ip="192.0.2.7", request_id="r-1")


@pytest.fixture
def bea() -> User:
    person = make_staff(make_bank(), username="bea")
    person.set_password(PASSWORD)
    person.save()
    return person


def attempt(username: str = "bea", password: str = PASSWORD, ip: str = "192.0.2.7") -> User | DomainError:
    actor = Actor.anonymous(Channel.PORTAL, ip=ip)
    try:
        return check_password(actor=actor, username=username, password=password, user_agent="tests")
    except DomainError as error:
        return error


def test_the_right_password_names_the_person_and_leaves_no_event(bea: User) -> None:
    assert attempt() == bea
    assert events() == []


def test_wrong_unknown_suspended_and_customer_are_refused_in_the_same_words(bea: User) -> None:
    off = make_staff(bea.bank, username="off", is_active=False)
    off.set_password(PASSWORD)
    off.save()
    customer = make_customer(bea.bank, customer_number="C1")
    customer.set_password(PASSWORD)
    customer.save()
    refused = [
        attempt(password="wrong"),
        attempt("nobody"),
        attempt("off"),
        attempt("C1"),
        attempt(""),
        attempt("b\0a"),
    ]
    assert {(type(error), error.code, str(error)) for error in refused if isinstance(error, DomainError)} == {
        (VerificationFailed, "sign-in-wrong", "The user name or the password is not right.")
    }
    assert len(refused) == 6
    assert events() == [("sign-in.refused", "sign-in-wrong")] * 6


def test_a_refusal_names_the_person_tried_and_never_what_was_typed(bea: User) -> None:
    attempt(password="hunter2-hunter2")
    attempt("hunter3-hunter3")
    known, unknown = AuditEvent.objects.order_by("id")
    assert (known.object_id, known.object_label, known.bank_id) == (str(bea.pk), "Bea", bea.bank_id)
    assert (known.actor_kind, known.ip) == ("anonymous", "192.0.2.7")
    assert (unknown.object_id, unknown.actor_label, unknown.bank_id) == ("", "unknown", None)
    assert "hunter" not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize("username", ["bea", "nobody"])
def test_the_fifth_wrong_password_locks_this_name_at_this_address(bea: User, username: str) -> None:
    outcomes = [attempt(username, "wrong") for _ in range(6)]
    assert [type(outcome) for outcome in outcomes] == [VerificationFailed] * 4 + [Locked] * 2
    assert isinstance(attempt(username, PASSWORD), Locked)


def test_a_lock_holds_nobody_else_up_and_ends_after_fifteen_minutes(bea: User) -> None:
    for _ in range(5):
        attempt(password="wrong")
    assert isinstance(attempt(), Locked)
    assert attempt(ip="192.0.2.8") == bea
    for _ in range(5):
        attempt(password="wrong", ip="192.0.2.9")
    with time_machine.travel(clock.now() + timedelta(minutes=15, seconds=1), tick=False):
        assert attempt() == bea


def test_thirty_wrong_ones_for_a_name_from_anywhere_lock_the_name_a_while(bea: User) -> None:
    with time_machine.travel(clock.now(), tick=False) as moment:
        for number in range(30):
            assert isinstance(attempt(password="wrong", ip=f"192.0.2.{number // 4}"), VerificationFailed)
        assert isinstance(attempt(ip="198.51.100.1"), Locked)
        assert isinstance(attempt("bea2", "wrong", ip="198.51.100.1"), VerificationFailed)
        moment.shift(timedelta(minutes=15, seconds=1))
        assert attempt(ip="198.51.100.1") == bea


def test_an_unknown_name_is_locked_alike(bea: User) -> None:
    for number in range(30):
        attempt("nobody", "wrong", ip=f"192.0.2.{number // 4}")
    locked = attempt("nobody", "wrong", ip="198.51.100.1")
    for number in range(30):
        attempt(password="wrong", ip=f"192.0.2.{number // 4}")
    known = attempt(ip="198.51.100.1")
    assert isinstance(locked, Locked)
    assert isinstance(known, Locked)
    assert (locked.code, str(locked)) == (known.code, str(known))


def test_a_hundred_wrong_ones_from_an_address_lock_the_address_a_while(bea: User) -> None:
    with time_machine.travel(clock.now(), tick=False) as moment:
        for number in range(100):
            assert isinstance(attempt(f"guess{number // 4}", "wrong"), VerificationFailed)
        assert isinstance(attempt(), Locked)
        assert attempt(ip="192.0.2.8") == bea
        moment.shift(timedelta(minutes=15, seconds=1))
        assert attempt() == bea


def test_a_lock_says_how_long_it_may_last(bea: User, settings: LazySettings) -> None:
    for hours, minutes in ((0.25, 15), (2, 120)):
        settings.AXES_COOLOFF_TIME = hours
        outcome = [attempt(password="wrong") for _ in range(5)][-1]
        assert str(outcome) == f"Too many attempts. Try again in {minutes} minutes."


def test_a_lock_is_written_once_a_minute(bea: User) -> None:
    with time_machine.travel(datetime(2026, 11, 2, 12, 0, 5, tzinfo=UTC)):
        for _ in range(9):
            attempt(password="wrong", ip="192.0.2.77")
    assert events() == [("sign-in.refused", "sign-in-wrong")] * 4 + [("sign-in.refused", "sign-in-locked")]


def test_the_right_password_forgets_the_wrong_ones(bea: User) -> None:
    for _ in range(4):
        attempt(password="wrong")
    assert attempt() == bea
    assert AccessAttempt.objects.count() == 0
    assert isinstance(attempt(password="wrong"), VerificationFailed)


def test_what_is_kept_of_an_attempt_holds_no_password(bea: User) -> None:
    attempt(password="hunter2-hunter2")
    assert "hunter2" not in str(list(AccessAttempt.objects.values()))


def test_unknown_and_suspended_people_cost_one_hash_as_well(bea: User, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def hash_once(self: User, raw: str) -> bool:
        hashed.append(raw)
        return False

    monkeypatch.setattr(User, "set_password", hash_once)
    monkeypatch.setattr(User, "check_password", hash_once)
    bea.is_active = False
    bea.save()
    backend = StaffBackend()
    for username in ("nobody", "bea", "x" * 65, "a\nb", ""):
        assert backend.authenticate(None, username=username, password="p") is None
    assert len(hashed) == 5


def test_a_very_long_password_is_wrong_and_hashed_no_further(bea: User) -> None:
    assert StaffBackend().authenticate(None, username="bea", password="x" * 1_000_000) is None
    assert StaffBackend().authenticate(None) is None


def test_a_session_belongs_to_active_staff_only(bea: User) -> None:
    assert StaffBackend().get_user(bea.pk) == bea
    bea.is_active = False
    bea.save()
    assert StaffBackend().get_user(bea.pk) is None
    assert StaffBackend().get_user(make_customer(bea.bank).pk) is None
