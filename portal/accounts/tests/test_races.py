"""The same thing at the same moment, in real threads on a real database."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import pytest
from django.db import transaction
from django.test import Client

from devices.models import Device
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from portal.accounts.models import AccessToken, BackupCode, RefreshToken, TotpAuthenticator, User
from portal.accounts.operations.clients import Created
from portal.accounts.operations.enrolment import confirm_enrolment, start_enrolment
from portal.accounts.operations.passkeys import Purpose, verify_passkey
from portal.accounts.operations.people import create_customer, create_staff
from portal.accounts.operations.second_factor import Verified, verify_second_factor
from portal.accounts.operations.tokens import end_tokens_of_device, issue_token, issue_token_pair
from portal.accounts.sessions import SessionStore
from portal.accounts.tests.authenticating import BROWSER, SecurityKey, asked_of, give_passkey
from portal.accounts.tests.conftest import FORM, basic
from portal.accounts.tests.people import HOUR, SYSTEM, code_at, enrol, events, make_client, signed_in
from portal.accounts.tokens import find_token, reason_dead
from portal.core.errors import Conflict, RateLimited, VerificationFailed
from portal.tests.threads import race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("portal.accounts.tests.urls")]


RENEW = "grant_type=refresh_token&refresh_token="


def kinds(outcomes: Sequence[object]) -> Counter[str]:
    return Counter(type(outcome).__name__ for outcome in outcomes)


def staff() -> User:
    return make_staff(make_bank(), username="bea")


@pytest.mark.parametrize("round_", range(3))
def test_twenty_uses_of_one_code_are_one(round_: int) -> None:
    bea = staff()
    secret, _ = enrol(bea)
    code = code_at(secret)
    outcomes = race(20, lambda _: verify_second_factor(actor=signed_in(bea), user=bea, code=code))
    assert sum(isinstance(outcome, Verified) for outcome in outcomes) == 1
    others = [outcome for outcome in outcomes if not isinstance(outcome, Verified)]
    assert {type(outcome) for outcome in others} <= {VerificationFailed, RateLimited}
    assert len(events("sign-in.succeeded")) == 1


def test_twenty_uses_of_one_backup_code_are_one() -> None:
    bea = staff()
    _, codes = enrol(bea)
    outcomes = race(20, lambda _: verify_second_factor(actor=signed_in(bea), user=bea, code=codes[0]))
    assert sum(isinstance(outcome, Verified) for outcome in outcomes) == 1
    assert BackupCode.objects.filter(user=bea, used_at=None).count() == 9
    assert len(events("backup-code.used")) == 1


def test_twenty_uses_of_one_passkeys_answer_are_one() -> None:
    bea, key = staff(), SecurityKey()
    enrol(bea)
    give_passkey(bea, key)
    answer = key.sign(asked_of(bea))
    use = partial(verify_passkey, actor=signed_in(bea), user=bea, answer=answer, session=BROWSER)
    outcomes = race(20, lambda _: use(purpose=Purpose.SIGN_IN))
    assert sum(isinstance(outcome, Verified) for outcome in outcomes) == 1
    others = [outcome for outcome in outcomes if not isinstance(outcome, Verified)]
    assert {type(outcome) for outcome in others} <= {VerificationFailed, RateLimited}
    assert len(events("sign-in.succeeded")) == 1


def test_of_a_hundred_wrong_codes_at_once_one_is_looked_at() -> None:
    bea = staff()
    enrol(bea)
    outcomes = race(64, lambda number: verify_second_factor(actor=signed_in(bea), user=bea, code=f"{number:06d}"))
    counted = kinds(outcomes)
    assert set(counted) <= {"VerificationFailed", "RateLimited"}
    authenticator = TotpAuthenticator.objects.get()
    assert authenticator.throttling_failure_count == counted["VerificationFailed"] <= 4
    assert (
        events("second-factor.refused").count(("second-factor.refused", "second-factor-wrong"))
        == (counted["VerificationFailed"])
    )


def test_an_authenticator_is_confirmed_once() -> None:
    bea = staff()
    code = code_at(start_enrolment(actor=signed_in(bea), user=bea).secret)
    outcomes = race(16, lambda _: confirm_enrolment(actor=signed_in(bea), user=bea, code=code))
    assert sum(isinstance(outcome, list) for outcome in outcomes) == 1
    assert BackupCode.objects.count() == 10
    assert len(events("second-factor.enrolled")) == 1


def test_first_enrolments_at_once_leave_one_seed() -> None:
    bea = staff()
    outcomes = race(16, lambda _: start_enrolment(actor=signed_in(bea), user=bea))
    assert kinds(outcomes) == {"Enrolment": 16}
    assert TotpAuthenticator.objects.count() == 1


def phone_of_ada() -> tuple[Created, User, Device]:
    mobile = make_client(make_bank(), "mobile")
    ada = make_customer(mobile.application.bank)
    return mobile, ada, make_device(ada)


def post_refresh(mobile: Created, raw: str, _: int = 0) -> int:
    return post_form(mobile, "token", f"{RENEW}{raw}")


def post_one(mobile: Created, forms: Sequence[tuple[str, str]], number: int) -> int:
    return post_form(mobile, *forms[number])


def post_form(mobile: Created, endpoint: str, form: str) -> int:
    response = Client().post(
        f"/oauth/{endpoint}",
        form,
        content_type=FORM,
        headers={"Authorization": basic(mobile.application.client_id, mobile.client_secret)},
    )
    return response.status_code


def test_of_sixteen_renewals_with_one_refresh_token_one_succeeds_and_the_family_ends() -> None:
    mobile, ada, phone = phone_of_ada()
    for _ in range(5):
        pair = issue_token_pair(
            actor=SYSTEM, application=mobile.application, user=ada, scopes=["pin"], lifetime=HOUR, device=phone
        )
        outcomes = race(16, partial(post_refresh, mobile, pair.refresh_raw))
        assert Counter(outcomes) == {200: 1, 400: 15}
        assert AccessToken.objects.live().count() == 0
        assert RefreshToken.objects.unused().count() == 0


def test_renewing_and_switching_the_device_off_leave_no_live_session() -> None:
    mobile, ada, phone = phone_of_ada()
    raws = [
        issue_token_pair(
            actor=SYSTEM, application=mobile.application, user=ada, scopes=["pin"], lifetime=HOUR, device=phone
        ).refresh_raw
        for _ in range(15)
    ]

    def switch_off() -> int:
        with transaction.atomic():
            Device.objects.select_for_update().get(pk=phone.pk)
            Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.BLOCKED, held_by=HeldBy.BANK)
            return end_tokens_of_device(phone.pk)

    outcomes = race(
        16, lambda number: switch_off() if number == 7 else post_refresh(mobile, raws[number - (number > 7)])
    )
    assert outcomes[7] == 15
    assert set(outcomes[:7] + outcomes[8:]) <= {200, 400}
    assert AccessToken.objects.live().count() == 0
    assert RefreshToken.objects.unused().count() == 0


def test_revoking_while_the_client_renews_leaves_no_live_session() -> None:
    mobile, ada, phone = phone_of_ada()
    for _ in range(10):
        pair = issue_token_pair(
            actor=SYSTEM, application=mobile.application, user=ada, scopes=["pin"], lifetime=HOUR, device=phone
        )
        forms = [("revoke", f"token={pair.refresh_raw}"), ("token", f"{RENEW}{pair.refresh_raw}")]
        outcomes = race(2, partial(post_one, mobile, forms))
        assert outcomes[0] == 200
        assert outcomes[1] in {200, 400}
        assert AccessToken.objects.live().count() == 0
        assert RefreshToken.objects.unused().count() == 0


def test_of_many_endings_each_token_is_counted_once() -> None:
    mobile, ada, phone = phone_of_ada()
    for _ in range(40):
        issue_token(actor=SYSTEM, application=mobile.application, user=ada, scopes=[], lifetime=HOUR, device=phone)

    def end(_: int) -> int:
        with transaction.atomic():
            return end_tokens_of_device(phone.pk)

    outcomes = race(16, end)
    assert sorted(outcomes, key=str) == [0] * 15 + [40]


def test_sixty_four_threads_get_and_find_their_own_tokens() -> None:
    server = make_client(make_bank(), "bank")
    sent = basic(server.application.client_id, server.client_secret)

    def one(_: int) -> str:
        response = Client().post(
            "/oauth/token", "grant_type=client_credentials", content_type=FORM, headers={"Authorization": sent}
        )
        assert response.status_code == 200, response.content
        return str(response.json()["access_token"])

    raws = race(64, one)
    assert len(set(raws)) == 64
    found = race(64, lambda number: find_token(str(raws[number])))
    assert all(isinstance(token, AccessToken) and reason_dead(token) is None for token in found)
    assert len(events("token.issued")) == 64


def test_one_customer_number_makes_one_customer_and_one_user_name_one_member_of_staff() -> None:
    bank = make_bank()
    customers = race(16, lambda _: create_customer(actor=SYSTEM, bank=bank, customer_number="C1", name="Ada"))
    assert kinds(customers) == {"User": 1, "Conflict": 15}
    people = race(
        8,
        lambda _: create_staff(
            actor=SYSTEM, bank=bank, username="dan", name="Dan", role="auditor", password="correct horse battery"
        ),
    )
    assert kinds(people) == {"User": 1, "Conflict": 7}
    assert {error.code for error in [*customers, *people] if isinstance(error, Conflict)} == {
        "customer-number-taken",
        "username-taken",
    }
    assert User.objects.count() == 2


def test_one_session_serves_many_requests_at_once() -> None:
    store = SessionStore()
    store["word"] = "kept"
    store.save()

    def use(number: int) -> str:
        mine = SessionStore(store.session_key)
        mine[f"n{number}"] = number
        mine.save()
        return str(mine["word"])

    assert race(32, use) == ["kept"] * 32
