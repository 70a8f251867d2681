"""Codes of the authenticator app and backup codes."""

from base64 import b32encode
from datetime import UTC, datetime

import pytest
import time_machine

from devices.tests.factories import make_bank, make_staff
from portal import vault
from portal.accounts.models import BackupCode, TotpAuthenticator, User
from portal.accounts.operations.second_factor import SEED, Factor, verify_second_factor
from portal.accounts.tests.people import code_at, enrol, events, signed_in
from portal.core.errors import DomainError, Forbidden, InvalidState, RateLimited, VerificationFailed
from portal.crypto.sealing import SealBroken

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def bea() -> User:
    return make_staff(make_bank(), username="bea")


def verify(user: User, code: str) -> Factor | DomainError:
    try:
        return verify_second_factor(actor=signed_in(user), user=user, code=code).kind
    except DomainError as error:
        return error


def test_the_current_code_is_taken_and_signs_in(bea: User) -> None:
    with time_machine.travel(NOON):
        secret, _ = enrol(bea)
        verified = verify_second_factor(actor=signed_in(bea), user=bea, code=code_at(secret))
    assert (verified.kind, verified.backup_codes_left) == (Factor.TOTP, 10)
    assert verified.authenticator == bea.totp
    assert events()[-1] == ("sign-in.succeeded", "")


def test_a_fresh_code_inside_a_session_is_no_second_sign_in(bea: User) -> None:
    with time_machine.travel(NOON, tick=False):
        secret, _ = enrol(bea)
        verify_second_factor(actor=signed_in(bea), user=bea, code=code_at(secret), signing_in=False)
    assert events("sign-in.succeeded") == []


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, False), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_wrong_by_one_step(bea: User, steps: int, right: bool) -> None:
    """One step back is inside the window too, but that code was used to set the app up."""
    with time_machine.travel(NOON, tick=False):
        secret, _ = enrol(bea)
        outcome = verify(bea, code_at(secret, steps=steps))
    assert (outcome == Factor.TOTP) is right


def test_the_step_before_is_taken_when_it_was_not_used(bea: User) -> None:
    with time_machine.travel(NOON, tick=False) as moment:
        secret, _ = enrol(bea)
        moment.shift(60)
        assert verify(bea, code_at(secret, steps=-1)) == Factor.TOTP
        assert verify(bea, code_at(secret)) == Factor.TOTP


def test_a_code_is_good_once_and_an_older_one_never_after_it(bea: User) -> None:
    with time_machine.travel(NOON, tick=False) as moment:
        secret, _ = enrol(bea)
        moment.shift(60)
        older, current = code_at(secret, steps=-1), code_at(secret)
        assert verify(bea, current) == Factor.TOTP
        assert isinstance(verify(bea, current), VerificationFailed)
        moment.shift(5)
        assert isinstance(verify(bea, older), VerificationFailed)
    assert events("second-factor.refused") == [("second-factor.refused", "second-factor-wrong")] * 2


@pytest.mark.parametrize("typed", ["{} ", " {}", "{0:.3} {0:3.6}"])
def test_spaces_do_not_count(bea: User, typed: str) -> None:
    with time_machine.travel(NOON, tick=False):
        secret, _ = enrol(bea)
        code = code_at(secret)
        assert verify(bea, f"{code[:3]} {code[3:]}" if "0" in typed else typed.format(code)) == Factor.TOTP


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "１２３４５６", "12345\n", "a" * 10_000, "\0" * 6, "-00001"]
)
def test_what_is_no_code_is_wrong(bea: User, code: str) -> None:
    enrol(bea)
    assert isinstance(verify(bea, code), VerificationFailed)


def test_the_codes_are_those_of_rfc_6238(bea: User) -> None:
    """Appendix B, SHA-1, last six digits."""
    enrol(bea)
    seed = b32encode(b"12345678901234567890").decode()
    sealed = vault.seal(SEED, bea.pk, seed)
    for moment, code in [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]:
        TotpAuthenticator.objects.update(seed_sealed=sealed, last_step=-1)
        with time_machine.travel(datetime.fromtimestamp(moment, UTC), tick=False):
            assert verify(bea, code) == Factor.TOTP


def test_each_wrong_code_doubles_the_wait_up_to_fifteen_minutes(bea: User) -> None:
    with time_machine.travel(NOON, tick=False) as moment:
        secret, _ = enrol(bea)
        waits = []
        for _ in range(12):
            assert isinstance(verify(bea, "000000"), VerificationFailed)
            held = verify(bea, code_at(secret))
            assert isinstance(held, RateLimited)
            waits.append(held.retry_after)
            moment.shift(held.retry_after)
        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
        assert verify(bea, code_at(secret)) == Factor.TOTP
        assert verify(bea, code_at(secret, steps=1)) == Factor.TOTP


def test_a_try_during_the_wait_uses_nothing_up_and_is_written_once_a_minute(bea: User) -> None:
    with time_machine.travel(NOON, tick=False) as moment:
        secret, codes = enrol(bea)
        verify(bea, "000000")
        for code in [code_at(secret), codes[0], "111111"]:
            assert isinstance(verify(bea, code), RateLimited)
        moment.shift(1)
        assert verify(bea, codes[0]) == Factor.BACKUP
        assert verify(bea, code_at(secret)) == Factor.TOTP
    assert sorted(events("second-factor.refused")) == [
        ("second-factor.refused", "second-factor-throttled"),
        ("second-factor.refused", "second-factor-wrong"),
    ]


def test_a_backup_code_works_once_however_it_is_typed(bea: User) -> None:
    _, codes = enrol(bea)
    typed = codes[0].upper().replace("-", " ")
    assert verify(bea, typed) == Factor.BACKUP
    assert isinstance(verify(bea, codes[0]), VerificationFailed)
    assert BackupCode.objects.filter(user=bea, used_at=None).count() == 9
    assert events("backup-code.used") == [("backup-code.used", "")]


def test_somebody_elses_backup_code_is_wrong(bea: User) -> None:
    cem = make_staff(bea.bank, name="Cem")
    enrol(bea)
    _, codes = enrol(cem)
    assert isinstance(verify(bea, codes[0]), VerificationFailed)
    assert BackupCode.objects.filter(user=cem, used_at=None).count() == 10


def test_nobody_proves_the_second_factor_of_another(bea: User) -> None:
    cem = make_staff(bea.bank, name="Cem")
    secret, _ = enrol(bea)
    before = TotpAuthenticator.objects.values().get()
    with pytest.raises(Forbidden):
        verify_second_factor(actor=signed_in(cem), user=bea, code=code_at(secret))
    assert TotpAuthenticator.objects.values().get() == before


def test_without_an_authenticator_there_is_nothing_to_prove(bea: User) -> None:
    assert isinstance(verify(bea, "123456"), InvalidState)


def test_the_seed_opens_for_its_owner_only(bea: User) -> None:
    cem = make_staff(bea.bank, name="Cem")
    secret, _ = enrol(bea)
    sealed = TotpAuthenticator.objects.get(user=bea).seed_sealed
    assert secret not in sealed
    assert vault.unseal(SEED, bea.pk, sealed) == secret
    with pytest.raises(SealBroken):
        vault.unseal(SEED, cem.pk, sealed)


def test_the_model_itself_takes_no_code(bea: User) -> None:
    secret, _ = enrol(bea)
    assert bea.totp.verify_token(code_at(secret)) is False
