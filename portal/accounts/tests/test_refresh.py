"""Renewing a customer's token: once, for the same device, and never after it went wrong."""

from datetime import timedelta

import pytest
import time_machine

from devices.models import Device
from devices.states import DeviceStatus, HeldBy
from portal.accounts.models import AccessToken, RefreshToken, User
from portal.accounts.operations.clients import Created
from portal.accounts.operations.refresh import refresh_session
from portal.accounts.operations.tokens import TokenPair, end_tokens_of_device, issue_token_pair
from portal.accounts.tests.conftest import Answer, Caller
from portal.accounts.tests.people import HOUR, SYSTEM, events, make_client, suspend
from portal.accounts.tokens import find_token, reason_dead
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import VerificationFailed

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.accounts.tests.urls")]


@pytest.fixture
def pair(mobile: Created, ada: User, phone: Device) -> TokenPair:
    return issue_token_pair(
        actor=SYSTEM,
        application=mobile.application,
        user=ada,
        scopes=["devices", "pin"],
        lifetime=HOUR,
        device=phone,
    )


def renew(call: Caller, mobile: Created, raw: str, **more: str) -> Answer:
    return call("token", mobile, grant_type="refresh_token", refresh_token=raw, **more)


def refused(answer: Answer, code: str, *, live: int) -> None:
    """Refused in words that do not tell why; the log does; and so many tokens still live."""
    assert (answer.status, answer.body) == (
        400,
        {"error": "invalid_grant", "error_description": "The refresh token is not valid."},
    )
    assert events("token.refused") == [("token.refused", code)]
    assert AccessToken.objects.live().count() == live


def test_a_new_pair_keeps_customer_device_and_scopes(
    call: Caller, mobile: Created, pair: TokenPair, ada: User, phone: Device
) -> None:
    answer = renew(call, mobile, pair.refresh_raw)
    assert answer.status == 200
    assert (answer.body["user_id"], answer.body["is_admin"]) == (ada.public_id, False)
    assert (answer.body["scope"], answer.body["expires_in"]) == ("devices pin", 3600)
    assert answer.body["refresh_token"] != pair.refresh_raw
    token = find_token(answer.body["access_token"])
    assert token is not None
    assert reason_dead(token) is None
    assert (token.user, token.device, answer.body["token_type"]) == (ada, phone, "Bearer")
    old = find_token(pair.raw)
    assert old is not None
    assert reason_dead(old) == "ended"
    event = AuditEvent.objects.filter(event="token.issued").latest("id")
    assert (event.actor_kind, event.actor_id, event.device_id) == ("customer", str(ada.pk), phone.pk)


def test_one_that_is_bound_to_a_key_is_not_renewed_without_it(call: Caller, mobile: Created, pair: TokenPair) -> None:
    AccessToken.objects.update(key_thumbprint="thumb")
    refused(renew(call, mobile, pair.refresh_raw), "proof-wrong", live=1)
    AccessToken.objects.update(key_thumbprint="")
    assert renew(call, mobile, pair.refresh_raw).status == 200


def test_a_used_one_without_its_key_ends_nothing(call: Caller, mobile: Created, pair: TokenPair) -> None:
    renew(call, mobile, pair.refresh_raw)
    AccessToken.objects.update(key_thumbprint="thumb")
    refused(renew(call, mobile, pair.refresh_raw), "proof-wrong", live=1)


def test_only_its_own_key_renews_a_bound_session(mobile: Created, pair: TokenPair) -> None:
    AccessToken.objects.update(key_thumbprint="thumb")
    with pytest.raises(VerificationFailed) as other:
        refresh_session(actor=SYSTEM, raw=pair.refresh_raw, proved_key="another")
    assert (other.value.code, other.value.audited) == ("proof-wrong", True)
    new = refresh_session(actor=SYSTEM, raw=pair.refresh_raw, proved_key="thumb")
    assert (new.token.key_thumbprint, AccessToken.objects.live().count()) == ("thumb", 1)


def test_the_new_one_renews_again_and_the_session_count_stays_one(
    call: Caller, mobile: Created, pair: TokenPair
) -> None:
    raw = pair.refresh_raw
    for _ in range(4):
        raw = renew(call, mobile, raw).body["refresh_token"]
    assert AccessToken.objects.live().count() == 1
    assert RefreshToken.objects.unused().count() == 1


def test_a_used_refresh_token_ends_the_whole_family(call: Caller, mobile: Created, pair: TokenPair) -> None:
    second = renew(call, mobile, pair.refresh_raw)
    third = renew(call, mobile, second.body["refresh_token"])
    refused(renew(call, mobile, pair.refresh_raw), "refresh-token-reused", live=0)
    token = find_token(third.body["access_token"])
    assert token is not None
    assert reason_dead(token) == "ended"
    assert renew(call, mobile, third.body["refresh_token"]).status == 400
    assert RefreshToken.objects.unused().count() == 0


def test_another_session_of_the_customer_outlives_it(
    call: Caller, mobile: Created, pair: TokenPair, ada: User
) -> None:
    other = issue_token_pair(actor=SYSTEM, application=mobile.application, user=ada, scopes=[], lifetime=HOUR)
    renew(call, mobile, pair.refresh_raw)
    renew(call, mobile, pair.refresh_raw)
    token = find_token(other.raw)
    assert token is not None
    assert reason_dead(token) is None


def test_fewer_scopes_may_be_asked_for_and_never_come_back(call: Caller, mobile: Created, pair: TokenPair) -> None:
    narrowed = renew(call, mobile, pair.refresh_raw, scope="pin")
    assert narrowed.body["scope"] == "pin"
    wider = renew(call, mobile, narrowed.body["refresh_token"], scope="pin devices")
    assert (wider.status, wider.body["error"]) == (400, "invalid_scope")
    assert renew(call, mobile, narrowed.body["refresh_token"]).body["scope"] == "pin"


def test_scopes_that_the_client_lost_are_not_renewed(call: Caller, mobile: Created, pair: TokenPair) -> None:
    mobile.application.allowed_scopes = ["pin"]
    mobile.application.save()
    assert renew(call, mobile, pair.refresh_raw).body["scope"] == "pin"


def test_it_is_refused_while_the_device_is_not_active_and_works_after(
    call: Caller, mobile: Created, pair: TokenPair, phone: Device
) -> None:
    Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.BLOCKED, held_by=HeldBy.BANK)
    refused(renew(call, mobile, pair.refresh_raw), "device-not-active", live=1)
    Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.ACTIVE, held_by=HeldBy.NOBODY)
    assert renew(call, mobile, pair.refresh_raw).status == 200


def test_it_is_refused_for_good_once_the_devices_tokens_were_ended(
    call: Caller, mobile: Created, pair: TokenPair, phone: Device
) -> None:
    end_tokens_of_device(phone.pk)
    refused(renew(call, mobile, pair.refresh_raw), "refresh-token-ended", live=0)


def test_it_is_refused_for_a_suspended_customer(call: Caller, mobile: Created, pair: TokenPair, ada: User) -> None:
    ada.is_active = False
    ada.save()
    refused(renew(call, mobile, pair.refresh_raw), "user-suspended", live=1)


def test_it_is_refused_for_a_suspended_client(call: Caller, mobile: Created, pair: TokenPair) -> None:
    suspend(mobile.application)
    answer = renew(call, mobile, pair.refresh_raw)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    assert events("token.refused") == [("token.refused", "client-suspended")]


def test_it_is_refused_to_another_client_and_stays_good(call: Caller, mobile: Created, pair: TokenPair) -> None:
    stranger = make_client(mobile.application.bank, "mobile", name="another app")
    refused(renew(call, stranger, pair.refresh_raw), "refresh-token-unknown", live=1)
    assert renew(call, mobile, pair.refresh_raw).status == 200


@pytest.mark.parametrize("raw", ["unknown", "x" * 5000])
def test_an_unknown_one_is_refused(call: Caller, mobile: Created, pair: TokenPair, raw: str) -> None:
    refused(renew(call, mobile, raw), "refresh-token-unknown", live=1)


def test_an_access_token_renews_nothing(call: Caller, mobile: Created, pair: TokenPair) -> None:
    refused(renew(call, mobile, pair.raw), "refresh-token-unknown", live=1)


def test_a_refresh_token_opens_nothing(pair: TokenPair) -> None:
    assert find_token(pair.refresh_raw) is None


def test_without_one_the_request_is_not_valid(call: Caller, mobile: Created) -> None:
    answer = call("token", mobile, grant_type="refresh_token")
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


def test_thirty_days_without_renewing_end_it(call: Caller, mobile: Created, pair: TokenPair) -> None:
    last = clock.now() + HOUR + timedelta(days=30)
    with time_machine.travel(last + timedelta(seconds=1), tick=False):
        refused(renew(call, mobile, pair.refresh_raw), "refresh-token-expired", live=0)
    with time_machine.travel(last - timedelta(seconds=5), tick=False):
        assert renew(call, mobile, pair.refresh_raw).status == 200


def test_an_event_tells_how_many_sessions_a_reuse_ended(call: Caller, mobile: Created, pair: TokenPair) -> None:
    renew(call, mobile, pair.refresh_raw)
    renew(call, mobile, pair.refresh_raw)
    event = AuditEvent.objects.get(event="token.refused")
    assert '"ended":1' in event.data
    assert pair.refresh_raw not in str(AuditEvent.objects.values())
