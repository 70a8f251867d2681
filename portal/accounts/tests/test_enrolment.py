"""Setting up the authenticator app."""

import json
from base64 import b32decode
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import BackupCode, TotpAuthenticator, User
from portal.accounts.operations.enrolment import (
    confirm_enrolment,
    open_enrolment,
    renew_backup_codes,
    start_enrolment,
)
from portal.accounts.operations.second_factor import verify_second_factor
from portal.accounts.tests.people import SYSTEM, code_at, enrol, events, proof_of, signed_in
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, Forbidden, InvalidState, RateLimited, VerificationFailed

pytestmark = pytest.mark.django_db


@pytest.fixture
def bea() -> User:
    return make_staff(make_bank(), username="bea")


def test_the_link_is_what_authenticator_apps_read(bea: User) -> None:
    made = start_enrolment(actor=signed_in(bea), user=bea)
    link = urlsplit(made.otpauth_uri)
    assert (link.scheme, link.netloc, unquote(link.path)) == ("otpauth", "totp", "/Device Trust:bea")
    assert parse_qs(link.query) == {
        "secret": [made.secret],
        "issuer": ["Device Trust"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert len(b32decode(made.secret)) == 20


def test_nothing_counts_before_the_first_right_code(bea: User) -> None:
    made = start_enrolment(actor=signed_in(bea), user=bea)
    with pytest.raises(InvalidState):
        verify_second_factor(actor=signed_in(bea), user=bea, code=code_at(made.secret))
    assert events() == []


def test_the_first_right_code_confirms_and_gives_ten_backup_codes(bea: User) -> None:
    made = start_enrolment(actor=signed_in(bea), user=bea)
    codes = confirm_enrolment(actor=signed_in(bea), user=bea, code=code_at(made.secret))
    assert len(set(codes)) == 10
    assert all(len(code) == 14 for code in codes)
    assert TotpAuthenticator.objects.get(user=bea).confirmed
    assert BackupCode.objects.filter(user=bea, used_at=None).count() == 10
    assert events() == [("second-factor.enrolled", "")]
    kept = str(list(BackupCode.objects.values())) + str(list(AuditEvent.objects.values()))
    assert not any(code in kept or code.replace("-", "") in kept for code in [*codes, made.secret])


def test_a_first_code_that_signs_in_says_so_after_the_enrolment(bea: User) -> None:
    made = start_enrolment(actor=signed_in(bea), user=bea)
    confirm_enrolment(actor=signed_in(bea), user=bea, code=code_at(made.secret), signing_in=True)
    assert events() == [("second-factor.enrolled", ""), ("sign-in.succeeded", "")]
    written = json.loads(AuditEvent.objects.get(event="sign-in.succeeded").data)
    assert written["details"] == {"second_factor": "totp"}


def test_a_wrong_first_code_signs_nobody_in(bea: User) -> None:
    start_enrolment(actor=signed_in(bea), user=bea)
    with pytest.raises(VerificationFailed):
        confirm_enrolment(actor=signed_in(bea), user=bea, code="000000", signing_in=True)
    assert events() == [("second-factor.refused", "second-factor-wrong")]


def test_the_code_that_confirmed_does_not_sign_in(bea: User) -> None:
    made = start_enrolment(actor=signed_in(bea), user=bea)
    code = code_at(made.secret)
    confirm_enrolment(actor=signed_in(bea), user=bea, code=code)
    with pytest.raises(VerificationFailed):
        verify_second_factor(actor=signed_in(bea), user=bea, code=code)


def test_a_wrong_first_code_is_counted_and_leaves_the_seed(bea: User) -> None:
    made = start_enrolment(actor=signed_in(bea), user=bea)
    with pytest.raises(VerificationFailed):
        confirm_enrolment(actor=signed_in(bea), user=bea, code="000000")
    with pytest.raises(RateLimited):
        confirm_enrolment(actor=signed_in(bea), user=bea, code=code_at(made.secret))
    assert open_enrolment(actor=signed_in(bea), user=bea).secret == made.secret
    assert not TotpAuthenticator.objects.get(user=bea).confirmed
    assert BackupCode.objects.count() == 0
    assert events()[0] == ("second-factor.refused", "second-factor-wrong")


def test_starting_again_makes_another_seed_and_the_old_one_is_worth_nothing(bea: User) -> None:
    first = start_enrolment(actor=signed_in(bea), user=bea)
    second = start_enrolment(actor=signed_in(bea), user=bea)
    assert first.secret != second.secret
    assert TotpAuthenticator.objects.filter(user=bea).count() == 1
    with pytest.raises(VerificationFailed):
        confirm_enrolment(actor=signed_in(bea), user=bea, code=code_at(first.secret))


def test_opening_without_a_start_starts(bea: User) -> None:
    made = open_enrolment(actor=signed_in(bea), user=bea)
    assert open_enrolment(actor=signed_in(bea), user=bea).secret == made.secret


def test_a_confirmed_authenticator_is_not_replaced(bea: User) -> None:
    enrol(bea)
    before = TotpAuthenticator.objects.values().get()
    for step in (start_enrolment, open_enrolment):
        with pytest.raises(Conflict):
            step(actor=signed_in(bea), user=bea)
    with pytest.raises(InvalidState):
        confirm_enrolment(actor=signed_in(bea), user=bea, code="000000")
    assert TotpAuthenticator.objects.values().get() == before


def test_nobody_sets_up_the_second_factor_of_another(bea: User) -> None:
    cem = make_staff(bea.bank, name="Cem")
    for step in (start_enrolment, open_enrolment, renew_backup_codes):
        with pytest.raises(Forbidden):
            step(actor=signed_in(cem), user=bea)
    with pytest.raises(Forbidden):
        confirm_enrolment(actor=signed_in(cem), user=bea, code="000000")
    assert TotpAuthenticator.objects.count() == 0


def test_new_backup_codes_end_the_unused_old_ones(bea: User) -> None:
    _, old = enrol(bea)
    proof = verify_second_factor(actor=signed_in(bea), user=bea, code=old[0])
    new = renew_backup_codes(actor=signed_in(bea), user=bea, proof=proof)
    assert not set(old) & set(new)
    assert BackupCode.objects.filter(user=bea, used_at=None).count() == 10
    assert BackupCode.objects.filter(user=bea).count() == 11
    with pytest.raises(VerificationFailed):
        verify_second_factor(actor=signed_in(bea), user=bea, code=old[1])
    assert events("backup-codes.renewed") == [("backup-codes.renewed", "")]


def test_new_backup_codes_need_ones_own_second_factor_of_the_last_five_minutes(bea: User) -> None:
    enrol(bea)
    before = list(BackupCode.objects.order_by("pk").values())
    cem = make_staff(bea.bank, name="Cem")
    for proof in (None, proof_of(bea, age=timedelta(minutes=5, seconds=1)), proof_of(cem)):
        with pytest.raises(Forbidden) as refusal:
            renew_backup_codes(actor=signed_in(bea), user=bea, proof=proof)
        assert refusal.value.code == "second-factor-needed"
    assert list(BackupCode.objects.order_by("pk").values()) == before
    assert events("backup-codes.renewed") == []
    assert len(renew_backup_codes(actor=SYSTEM, user=bea)) == 10


def test_backup_codes_need_an_authenticator(bea: User) -> None:
    with pytest.raises(InvalidState):
        renew_backup_codes(actor=signed_in(bea), user=bea, proof=proof_of(bea))
    assert BackupCode.objects.count() == 0
