"""Giving out, finding and ending tokens."""

from datetime import timedelta

import pytest
import time_machine

from devices.models import Device
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from portal.accounts.actors import actor_from_token
from portal.accounts.models import AccessToken, Application, Bank, RefreshToken, User
from portal.accounts.operations.tokens import (
    end_tokens_of_device,
    issue_client_token,
    issue_staff_token,
    issue_token,
    issue_token_pair,
)
from portal.accounts.roles import Role
from portal.accounts.tests.people import HOUR, SYSTEM, events, make_client, proof_of, signed_in, suspend
from portal.accounts.tokens import find_token, reason_dead
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import ActorKind, Channel
from portal.core.errors import DomainError, Forbidden, InvalidInput, InvalidState, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank("first")


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


@pytest.fixture
def mobile(bank: Bank) -> Application:
    return make_client(bank, "mobile").application


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada)


@pytest.fixture
def raw(mobile: Application, ada: User, phone: Device) -> str:
    return issue_token(
        actor=SYSTEM, application=mobile, user=ada, scopes=["devices", "pin"], lifetime=HOUR, device=phone
    )[1]


def dead(raw: str) -> str | None:
    token = find_token(raw)
    assert token is not None
    return reason_dead(token)


def test_a_token_is_found_alive_in_one_query_with_all_that_matters(
    raw: str, django_assert_num_queries: object
) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        token = find_token(raw)
        assert token is not None
        assert reason_dead(token) is None
        actor = actor_from_token(token, channel=Channel.ASSECO, ip="192.0.2.1", request_id="r-1")
        assert token.application is not None
        assert token.application.bank_id == token.user.bank_id == actor.bank_id
    assert actor.scopes == {"devices", "pin"}


def test_the_database_holds_no_token(raw: str) -> None:
    row = AccessToken.objects.get()
    assert row.token == ""
    assert len(row.token_checksum) == 64
    assert raw not in str(AccessToken.objects.values().get())
    assert raw not in str(AuditEvent.objects.filter(event="token.issued").values())


def test_the_event_says_who_got_what(raw: str, ada: User, phone: Device) -> None:
    event = AuditEvent.objects.get(event="token.issued")
    assert (event.actor_kind, event.actor_id, event.channel) == ("system", "tests", "command")
    for part in ('"devices"', '"pin"', ada.public_id, str(phone.pk), "first mobile"):
        assert part in event.data


@pytest.mark.parametrize("sent", ["", "unknown", "ü", "\0", "\ud800", "x" * 100_000])
def test_what_is_no_token_is_not_found(raw: str, sent: str) -> None:
    assert find_token(sent) is None


def test_a_token_dies_by_time(raw: str) -> None:
    with time_machine.travel(clock.now() + HOUR + timedelta(seconds=1), tick=False):
        assert dead(raw) == "expired"


def test_a_token_dies_with_its_client_and_its_customer(raw: str, mobile: Application, ada: User) -> None:
    suspend(mobile)
    assert dead(raw) == "client-suspended"
    ada.is_active = False
    ada.save()
    assert dead(raw) == "user-suspended"


@pytest.mark.parametrize("status", [DeviceStatus.INACTIVE, DeviceStatus.BLOCKED])
def test_a_bound_token_works_only_while_its_device_is_active(raw: str, phone: Device, status: str) -> None:
    Device.objects.filter(pk=phone.pk).update(status=status, held_by=HeldBy.BANK)
    assert dead(raw) == "device-not-active"


def test_a_bound_token_dies_when_its_device_has_another_owner(raw: str, phone: Device, bank: Bank) -> None:
    Device.objects.filter(pk=phone.pk).update(owner=make_customer(bank, "Cem"))
    assert dead(raw) == "device-not-active"


def test_ending_counts_live_tokens_of_the_device_only(mobile: Application, ada: User, phone: Device) -> None:
    other = make_device(ada)

    def issue(device: Device | None, lifetime: timedelta = HOUR) -> str:
        made = issue_token(actor=SYSTEM, application=mobile, user=ada, scopes=[], lifetime=lifetime, device=device)
        return made[1]

    bound = [issue(phone), issue(phone)]
    expired, elsewhere, free = issue(phone, timedelta(microseconds=1)), issue(other), issue(None)
    assert end_tokens_of_device(phone.pk) == 2
    assert end_tokens_of_device(phone.pk) == 0
    assert [dead(raw) for raw in bound] == ["ended", "ended"]
    assert (dead(expired), dead(elsewhere), dead(free)) == ("expired", None, None)


def test_an_ended_token_stays_ended_when_the_device_is_active_again(raw: str, phone: Device) -> None:
    end_tokens_of_device(phone.pk)
    Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.ACTIVE)
    assert dead(raw) == "ended"


def test_refresh_tokens_go_with_the_device(mobile: Application, ada: User, phone: Device) -> None:
    issue_token_pair(actor=SYSTEM, application=mobile, user=ada, scopes=[], lifetime=HOUR, device=phone)
    issue_token_pair(actor=SYSTEM, application=mobile, user=ada, scopes=[], lifetime=HOUR)
    assert end_tokens_of_device(phone.pk) == 1
    assert RefreshToken.objects.unused().count() == 1


def refused(error: type[DomainError], code: str, **values: object) -> None:
    count = AccessToken.objects.count()
    with pytest.raises(error) as caught:
        issue_token(actor=SYSTEM, lifetime=HOUR, **{"scopes": [], **values})  # type: ignore[arg-type]
    fields = getattr(caught.value, "fields", ())
    assert (fields[0].code if fields else caught.value.code) == code
    assert AccessToken.objects.count() == count


def test_a_token_for_somebody_elses_device_is_not_given(mobile: Application, ada: User, bank: Bank) -> None:
    theirs = make_device(make_customer(bank, "Cem"))
    refused(NotFound, "not-found", application=mobile, user=ada, device=theirs)


def test_a_token_for_a_device_that_is_not_active_is_not_given(mobile: Application, ada: User) -> None:
    for status in (DeviceStatus.PENDING, DeviceStatus.INACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED):
        off = make_device(ada, status)
        refused(InvalidState, "device-not-active", application=mobile, user=ada, device=off)


def test_a_token_for_a_customer_of_another_bank_or_for_staff_is_not_given(mobile: Application, bank: Bank) -> None:
    refused(NotFound, "not-found", application=mobile, user=make_customer(make_bank()))
    refused(NotFound, "not-found", application=mobile, user=make_staff(bank))
    refused(InvalidInput, "required", application=mobile)


def test_servers_act_for_no_customer(bank: Bank, ada: User, phone: Device) -> None:
    for kind in ("bank", "merchant"):
        server = make_client(bank, kind).application
        refused(InvalidInput, "not-for-this-client", application=server, user=ada)
        refused(InvalidInput, "not-for-this-client", application=server, device=phone)


def test_scopes_are_those_of_the_client_and_of_its_kind(mobile: Application, ada: User) -> None:
    refused(InvalidInput, "scope-not-allowed", application=mobile, user=ada, scopes=["devices:admin"])
    mobile.allowed_scopes = ["devices", "devices:admin"]
    refused(InvalidInput, "scope-not-allowed", application=mobile, user=ada, scopes=["devices:admin"])
    refused(InvalidInput, "scope-not-allowed", application=mobile, user=ada, scopes=["pin"])


def test_a_scope_that_a_client_loses_is_lost_at_once(raw: str, mobile: Application) -> None:
    mobile.allowed_scopes = ["pin"]
    mobile.save()
    token = find_token(raw)
    assert token is not None
    assert actor_from_token(token, channel=Channel.ASSECO).scopes == {"pin"}


def test_suspended_clients_and_customers_get_none(mobile: Application, ada: User) -> None:
    ada.is_active = False
    refused(InvalidState, "user-suspended", application=mobile, user=ada)
    suspend(mobile)
    refused(InvalidState, "client-suspended", application=mobile, user=ada)


def test_only_our_commands_issue_tokens_for_others(mobile: Application, ada: User, bank: Bank) -> None:
    administrator = signed_in(make_staff(bank, Role.ADMINISTRATOR))
    for issue in (issue_token, issue_token_pair):
        with pytest.raises(Forbidden):
            issue(actor=administrator, application=mobile, user=ada, scopes=[], lifetime=HOUR)
    with pytest.raises(Forbidden):
        issue_client_token(actor=administrator, application=mobile, scopes=[], raw="x", lifetime=HOUR)
    assert AccessToken.objects.count() == 0


def test_staff_get_a_short_token_of_their_own(bank: Bank) -> None:
    bea = make_staff(bank, Role.OPERATOR, username="bea")
    token, raw = issue_staff_token(actor=signed_in(bea), proof=proof_of(bea))
    assert (token.user, token.application, token.scope) == (bea, None, "staff")
    assert timedelta(minutes=14) < token.expires - clock.now() <= timedelta(minutes=15)
    assert dead(raw) is None
    found = find_token(raw)
    assert found is not None
    actor = actor_from_token(found, channel=Channel.ADIBA)
    assert (actor.kind, actor.label, actor.capabilities) == (ActorKind.STAFF, "Bea (bea)", bea.capabilities)
    assert (actor.bank_id, set(actor.scopes), actor.token_id) == (bank.pk, {"staff"}, token.pk)


def test_a_staff_token_follows_the_role_and_dies_with_the_person(bank: Bank) -> None:
    bea = make_staff(bank, Role.OPERATOR)
    raw = issue_staff_token(actor=signed_in(bea), proof=proof_of(bea))[1]
    User.objects.filter(pk=bea.pk).update(role=Role.AUDITOR)
    found = find_token(raw)
    assert found is not None
    assert "devices.activate" not in actor_from_token(found, channel=Channel.ADIBA).capabilities
    User.objects.filter(pk=bea.pk).update(is_active=False)
    assert dead(raw) == "user-suspended"


def test_staff_get_no_long_token_and_none_for_others(bank: Bank, ada: User) -> None:
    bea, cem = make_staff(bank), make_staff(bank, name="Cem")
    with pytest.raises(InvalidInput):
        issue_staff_token(actor=signed_in(bea), lifetime=timedelta(minutes=16), proof=proof_of(bea))
    with pytest.raises(Forbidden):
        issue_staff_token(actor=signed_in(bea), user=cem, proof=proof_of(bea))
    with pytest.raises(Forbidden):
        issue_staff_token(actor=SYSTEM, user=ada)
    with pytest.raises(Forbidden):
        issue_staff_token(actor=SYSTEM)
    cem.is_active = False
    cem.save()
    with pytest.raises(InvalidState):
        issue_staff_token(actor=SYSTEM, user=cem)
    assert AccessToken.objects.count() == 0
    assert issue_staff_token(actor=SYSTEM, user=bea, lifetime=timedelta(days=1))[0].user == bea


def test_staff_bring_their_own_second_factor_of_the_last_five_minutes(bank: Bank) -> None:
    bea, cem = make_staff(bank), make_staff(bank, name="Cem")
    for proof in (None, proof_of(bea, age=timedelta(minutes=5, seconds=1)), proof_of(cem)):
        with pytest.raises(Forbidden) as refusal:
            issue_staff_token(actor=signed_in(bea), proof=proof)
        assert refusal.value.code == "second-factor-needed"
    assert (AccessToken.objects.count(), events()) == (0, [])
    issue_staff_token(actor=signed_in(bea), proof=proof_of(bea, age=timedelta(minutes=4, seconds=58)))
    assert AccessToken.objects.count() == 1


def test_actors_say_for_whom_a_token_speaks(
    bank: Bank, raw: str, ada: User, phone: Device, mobile: Application
) -> None:
    customer = find_token(raw)
    assert customer is not None
    actor = actor_from_token(customer, channel=Channel.ASSECO, ip="192.0.2.1", request_id="r-1")
    assert (actor.kind, actor.id, actor.user_id, actor.bank_id) == (ActorKind.CUSTOMER, str(ada.pk), ada.pk, bank.pk)
    assert (actor.device_id, actor.application_id, actor.ip, actor.request_id) == (
        phone.pk,
        mobile.pk,
        "192.0.2.1",
        "r-1",
    )
    for kind, expected in (("bank", ActorKind.BANK), ("merchant", ActorKind.MERCHANT)):
        server = make_client(bank, kind).application
        token, _ = issue_token(actor=SYSTEM, application=server, scopes=server.allowed_scopes, lifetime=HOUR)
        actor = actor_from_token(token, channel=Channel.ADIBA)
        assert (actor.kind, actor.id, actor.user_id) == (expected, server.client_id, None)
        assert actor.capabilities == frozenset()


def test_a_dead_tokens_bearer_can_still_be_named(raw: str, ada: User, phone: Device) -> None:
    end_tokens_of_device(phone.pk)
    token = find_token(raw)
    assert token is not None
    assert actor_from_token(token, channel=Channel.ASSECO).user_id == ada.pk


def test_revoking_by_the_library_keeps_the_row(raw: str) -> None:
    AccessToken.objects.get().revoke()
    assert dead(raw) == "ended"
    assert AccessToken.objects.get().is_expired()
    assert len(events("token.issued")) == 1
