"""Passkeys: what is taken, what is refused and counted, and that an answer works once."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import Passkey, PasskeyChallenge, User
from portal.accounts.operations import passkeys
from portal.accounts.operations.passkeys import Purpose, add_passkey, remove_passkey, start_adding, verify_passkey
from portal.accounts.operations.second_factor import Factor, Verified
from portal.accounts.tests.authenticating import BROWSER, PRESENT, SecurityKey, asked_of, give_passkey
from portal.accounts.tests.people import enrol, events, proof_of, signed_in
from portal.core import clock
from portal.core.errors import (
    Conflict,
    DomainError,
    Forbidden,
    InvalidInput,
    InvalidState,
    NotFound,
    RateLimited,
    VerificationFailed,
)

pytestmark = pytest.mark.django_db

REFUSED = ("second-factor.refused", "passkey-wrong")


@pytest.fixture
def bea() -> User:
    person = make_staff(make_bank(), username="bea")
    enrol(person)
    return person


@pytest.fixture
def key() -> SecurityKey:
    return SecurityKey()


def verify(
    user: User, answer: str, purpose: Purpose = Purpose.SIGN_IN, session: str = BROWSER
) -> Verified | DomainError:
    try:
        return verify_passkey(actor=signed_in(user), user=user, answer=answer, purpose=purpose, session=session)
    except DomainError as error:
        return error


def test_a_passkey_is_added_and_signs_in(bea: User, key: SecurityKey) -> None:
    passkey = give_passkey(bea, key)
    verified = verify(bea, key.sign(asked_of(bea)))
    assert isinstance(verified, Verified)
    assert (verified.kind, verified.authenticator, verified.backup_codes_left) == (Factor.PASSKEY, passkey, 10)
    passkey.refresh_from_db()
    assert (passkey.uses, passkey.last_used_at is not None, passkey.synced) == (1, True, False)
    assert events()[-2:] == [("passkey.added", ""), ("sign-in.succeeded", "")]
    assert Passkey.from_persistent_id(passkey.persistent_id) == passkey


def test_a_step_up_is_no_second_sign_in(bea: User, key: SecurityKey) -> None:
    give_passkey(bea, key)
    assert isinstance(verify(bea, key.sign(asked_of(bea, Purpose.STEP_UP)), Purpose.STEP_UP), Verified)
    assert events("sign-in.succeeded") == []


def test_an_answer_works_once(bea: User, key: SecurityKey) -> None:
    give_passkey(bea, key)
    answer = key.sign(asked_of(bea))
    assert isinstance(verify(bea, answer), Verified)
    assert isinstance(verify(bea, answer), VerificationFailed)
    assert events()[-1] == REFUSED


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost.evil.example"},
        {"domain": "evil.example"},
        {"flags": PRESENT},
        {"flags": 0},
        {"broken": True},
        {"kind": "webauthn.create"},
        {"challenge": "A" * 43},
        {"challenge": "A" * 5000},
    ],
    ids=str,
)
def test_whatever_is_wrong_has_one_answer_and_is_counted(bea: User, key: SecurityKey, changes: Any) -> None:
    give_passkey(bea, key)
    refused = verify(bea, key.sign(asked_of(bea), **changes))
    assert isinstance(refused, VerificationFailed)
    assert (refused.code, refused.audited) == ("passkey-wrong", True)
    bea.totp.refresh_from_db()
    assert bea.totp.throttling_failure_count == 1
    assert events()[-1] == REFUSED
    assert events("second-factor.refused") == [REFUSED]


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[]", "null", "1", "{", "[" * 9000, '{"response": {}}', '{"rawId": 1, "response": 2}', "x" * 20_000]
    + [json.dumps({"id": "a", "rawId": "é", "type": "public-key", "response": {"clientDataJSON": "e30"}})],
    ids=lambda text: text[:20],
)
def test_nonsense_is_a_wrong_passkey(bea: User, key: SecurityKey, answer: str) -> None:
    give_passkey(bea, key)
    assert isinstance(verify(bea, answer), VerificationFailed)


def test_a_copy_that_counts_from_below_is_refused(bea: User, key: SecurityKey) -> None:
    give_passkey(bea, key)
    assert isinstance(verify(bea, key.sign(asked_of(bea), step=5)), Verified)
    assert isinstance(verify(bea, key.sign(asked_of(bea), step=-2)), VerificationFailed)


def test_an_answer_for_something_else_or_too_late_is_refused(bea: User, key: SecurityKey) -> None:
    give_passkey(bea, key)
    assert isinstance(verify(bea, key.sign(asked_of(bea, Purpose.STEP_UP))), VerificationFailed)
    with time_machine.travel(clock.now() + timedelta(hours=1), tick=False) as moment:
        answer = key.sign(asked_of(bea))
        moment.shift(300)
        assert isinstance(verify(bea, answer), VerificationFailed)


@pytest.mark.parametrize("session", ["another browser's", ""])
def test_what_one_browser_was_asked_another_cannot_answer(bea: User, key: SecurityKey, session: str) -> None:
    give_passkey(bea, key)
    answer = key.sign(asked_of(bea))
    assert isinstance(verify(bea, answer, session=session), VerificationFailed)
    with time_machine.travel(clock.now() + timedelta(seconds=2), tick=False):
        assert isinstance(verify(bea, answer), Verified)  # nobody else used it up
    assert events("second-factor.refused") == [REFUSED]


def test_what_one_browser_was_asked_another_cannot_be_given(bea: User, key: SecurityKey) -> None:
    actor, proof = signed_in(bea), proof_of(bea)
    answer = key.make(start_adding(actor=actor, user=bea, proof=proof, session=BROWSER))
    with pytest.raises(VerificationFailed):
        add_passkey(actor=actor, user=bea, name="Key", answer=answer, proof=proof, session="another browser's")
    assert not Passkey.objects.exists()


def test_somebody_elses_passkey_and_challenge_are_refused(bea: User, key: SecurityKey) -> None:
    cem = make_staff(bea.bank, username="cem")
    enrol(cem)
    theirs = SecurityKey(b"key-2")
    give_passkey(bea, key)
    give_passkey(cem, theirs)
    assert isinstance(verify(bea, theirs.sign(asked_of(bea))), VerificationFailed)
    with time_machine.travel(clock.now() + timedelta(minutes=1)):
        assert isinstance(verify(bea, key.sign(asked_of(cem))), VerificationFailed)
    with pytest.raises(Forbidden):
        verify_passkey(actor=signed_in(cem), user=bea, answer="{}", purpose=Purpose.SIGN_IN, session=BROWSER)


def test_a_wrong_one_makes_the_next_wait_and_a_right_one_forgets(bea: User, key: SecurityKey) -> None:
    give_passkey(bea, key)
    with time_machine.travel(clock.now(), tick=False) as moment:
        verify(bea, key.sign(asked_of(bea), broken=True))
        assert isinstance(verify(bea, key.sign(asked_of(bea))), RateLimited)
        moment.shift(1)
        assert isinstance(verify(bea, key.sign(asked_of(bea))), Verified)
    bea.totp.refresh_from_db()
    assert bea.totp.throttling_failure_count == 0


def test_five_challenges_wait_at_most(bea: User, key: SecurityKey) -> None:
    give_passkey(bea, key)
    first = asked_of(bea)
    others = [asked_of(bea) for _ in range(5)]
    assert PasskeyChallenge.objects.count() == passkeys.MOST_OPEN
    assert isinstance(verify(bea, key.sign(first)), VerificationFailed)
    with time_machine.travel(clock.now() + timedelta(seconds=2)):
        assert isinstance(verify(bea, key.sign(others[0])), Verified)


def test_without_a_passkey_nothing_is_asked(bea: User) -> None:
    assert asked_of(bea) == ""
    assert not PasskeyChallenge.objects.exists()


def test_without_an_authenticator_app_there_is_none(key: SecurityKey) -> None:
    new = make_staff(make_bank("other"), username="dan")
    with pytest.raises(InvalidState):
        give_passkey(new, key)
    assert not Passkey.objects.exists()


# Adding.


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"domain": "evil.example"},
        {"flags": PRESENT},
        {"challenge": "A" * 43},
        {"cose": {3: -8}},
        {"cose": {-1: 8}},
        {"cose": {-2: b"\0" * 32}},
    ],
    ids=str,
)
def test_what_was_made_wrong_is_not_kept(bea: User, key: SecurityKey, changes: Any) -> None:
    options = start_adding(actor=signed_in(bea), user=bea, proof=proof_of(bea), session=BROWSER)
    answer = key.make(options, **changes)
    with pytest.raises(VerificationFailed):
        add_passkey(actor=signed_in(bea), user=bea, name="Key", answer=answer, proof=proof_of(bea), session=BROWSER)
    assert not Passkey.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "two\nlines"])
def test_a_name_is_one_line(bea: User, name: str) -> None:
    with pytest.raises(InvalidInput):
        add_passkey(actor=signed_in(bea), user=bea, name=name, answer="{}", proof=proof_of(bea), session=BROWSER)


def test_one_passkey_is_not_added_twice_by_anybody(bea: User, key: SecurityKey) -> None:
    give_passkey(bea, key)
    for person in (bea, make_staff(bea.bank, username="cem")):
        if person != bea:
            enrol(person)
        with pytest.raises(Conflict, match="known"):
            give_passkey(person, key)
    assert Passkey.objects.count() == 1


def test_ten_are_enough(bea: User) -> None:
    for number in range(passkeys.MOST):
        give_passkey(bea, SecurityKey(b"key %d" % number))
    with pytest.raises(Conflict, match="more than 10"):
        give_passkey(bea, SecurityKey(b"one more"))


def test_adding_and_removing_take_a_fresh_factor(bea: User, key: SecurityKey) -> None:
    passkey = give_passkey(bea, key)
    stale = proof_of(bea, age=timedelta(minutes=6))
    for proof in (None, stale, proof_of(make_staff(bea.bank, username="cem"))):
        with pytest.raises(Forbidden, match="second factor"):
            start_adding(actor=signed_in(bea), user=bea, proof=proof, session=BROWSER)
        with pytest.raises(Forbidden, match="second factor"):
            add_passkey(actor=signed_in(bea), user=bea, name="Key", answer="{}", proof=proof, session=BROWSER)
        with pytest.raises(Forbidden, match="second factor"):
            remove_passkey(actor=signed_in(bea), passkey_id=passkey.pk, proof=proof)
    assert Passkey.objects.count() == 1


def test_a_removed_one_opens_nothing(bea: User, key: SecurityKey) -> None:
    passkey = give_passkey(bea, key)
    cem = make_staff(bea.bank, username="cem")
    with pytest.raises(NotFound):
        remove_passkey(actor=signed_in(cem), passkey_id=passkey.pk, proof=proof_of(cem))
    options = asked_of(bea)
    remove_passkey(actor=signed_in(bea), passkey_id=passkey.pk, proof=proof_of(bea))
    assert events()[-1] == ("passkey.removed", "")
    assert isinstance(verify(bea, key.sign(options)), VerificationFailed)
    assert Passkey.from_persistent_id(passkey.persistent_id) is None
