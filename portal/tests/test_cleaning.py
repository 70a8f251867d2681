import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import transaction
from django.db.models import QuerySet

from devices.models import PinReset, ResetMethod
from devices.states import ResetState
from devices.tests.factories import make_application, make_bank, make_customer, make_device
from merchants.models import Link, LookupHour, Sighting
from merchants.operations.ending import end
from merchants.states import EndReason
from merchants.tests.factories import make_hour, make_link, make_merchant, make_sighting
from portal import cleaning, jobs, tasks
from portal.accounts.models import AccessToken, PasskeyChallenge, PortalSession, RefreshToken, User
from portal.core.actor import Actor
from portal.models import JobSlot, StoredAnswer, WorkerBeat
from portal.outbox import operations
from portal.outbox.models import Message, MessageState, SinkDelivery
from portal.outbox.tests.factories import make_message

MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ["live", "late", "old", "renewable", "used", "reused", "revoked long ago", "idle", "orphan", "being made"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> User:
    return make_customer(make_bank())


def make_access(customer: User, name: str, *, expired: timedelta) -> AccessToken:
    """An access token that ran out so long before `MOMENT`."""
    return AccessToken.objects.create(user=customer, token=name, expires=MOMENT - expired, scope="devices")


def make_refresh(customer: User, name: str, access: AccessToken | None, *, revoked: timedelta | None) -> RefreshToken:
    """A refresh token; `revoked` so long before `MOMENT`."""
    return RefreshToken.objects.create(
        user=customer,
        application=make_application(customer.bank),
        token=name,
        access_token=access,
        revoked=None if revoked is None else MOMENT - revoked,
    )


def clean_at(moment: datetime) -> dict[str, int]:
    with time_machine.travel(moment, tick=False):
        return cleaning.clean()


def left(rows: QuerySet[AccessToken] | QuerySet[RefreshToken]) -> set[str]:
    """The names of the tokens that are still there; the table knows only their digests."""
    found = set(rows.values_list("token_checksum", flat=True))
    return {name for name in NAMES if hashlib.sha256(name.encode()).hexdigest() in found}


def test_access_tokens_go_a_month_after_they_ran_out(customer: User) -> None:
    make_access(customer, "live", expired=-DAY)
    make_access(customer, "late", expired=29 * DAY)
    make_access(customer, "old", expired=31 * DAY)
    assert clean_at(MOMENT)["access tokens"] == 1
    assert left(AccessToken.objects.all()) == {"live", "late"}


def test_an_old_access_token_that_can_still_be_renewed_stays(customer: User) -> None:
    make_refresh(customer, "live", make_access(customer, "renewable", expired=29 * DAY), revoked=None)
    used = make_access(customer, "used", expired=31 * DAY)
    make_refresh(customer, "reused", used, revoked=29 * DAY)
    counts = clean_at(MOMENT)
    assert (counts["access tokens"], counts["refresh tokens"]) == (1, 0)
    assert left(AccessToken.objects.all()) == {"renewable"}
    assert left(RefreshToken.objects.all()) == {"live", "reused"}  # a stolen copy is still noticed


def test_refresh_tokens_go_when_nobody_could_use_them_any_more(customer: User) -> None:
    with time_machine.travel(MOMENT - 2 * DAY, tick=False):
        make_refresh(customer, "revoked long ago", None, revoked=31 * DAY)
        make_refresh(customer, "idle", make_access(customer, "idle", expired=31 * DAY), revoked=None)
        make_refresh(customer, "orphan", None, revoked=None)
    with time_machine.travel(MOMENT, tick=False):
        make_refresh(customer, "being made", None, revoked=None)
    assert clean_at(MOMENT)["refresh tokens"] == 3
    assert left(RefreshToken.objects.all()) == {"being made"}
    assert left(AccessToken.objects.all()) == set()


def test_sessions_challenges_answers_slots_and_workers_go_when_their_time_is_over(customer: User) -> None:
    for name, age in [("new", timedelta(hours=-1)), ("old", timedelta(hours=1))]:
        PasskeyChallenge.objects.create(challenge=name, user=customer, purpose="add", expires_at=MOMENT - age)
        with time_machine.travel(MOMENT, tick=False):
            PortalSession.objects.create(session_key=name, session_data="", expire_date=MOMENT - age)
        StoredAnswer.objects.create(scope=name, body_digest="", created_at=MOMENT - DAY - age)
        WorkerBeat.objects.create(worker=name, seen_at=MOMENT - 7 * DAY - age)
        with time_machine.travel(MOMENT - DAY - age, tick=False):
            jobs.claim_slot(name, 10)
    counts = clean_at(MOMENT)
    assert counts == {
        "slots": 1,
        "answers": 1,
        "workers": 1,
        "sessions": 1,
        "passkey challenges": 1,
        "messages": 0,
        "pin resets": 0,
        "sightings": 0,
        "links": 0,
        "lookup hours": 0,
        "sign-ins": 0,
        "refresh tokens": 0,
        "access tokens": 0,
    }
    assert PortalSession.objects.get().pk == StoredAnswer.objects.get().pk == WorkerBeat.objects.get().pk == "new"
    assert (PasskeyChallenge.objects.get().pk, JobSlot.objects.get().task) == ("new", "new")
    assert sum(clean_at(MOMENT).values()) == 0


def test_an_ended_link_goes_after_thirteen_months_unless_somebody_was_seen_by_it(customer: User) -> None:
    """An open one stays, however old."""
    kept, seen, young, old = (make_link(make_device(customer)) for _ in range(4))
    for link, age in ((seen, 401 * DAY), (young, 399 * DAY), (old, 401 * DAY)):
        with time_machine.travel(MOMENT - age, tick=False), transaction.atomic():
            end(Actor.system("test"), link, EndReason.CUT, "")
    with time_machine.travel(MOMENT - DAY, tick=False):
        make_sighting(make_merchant(customer.bank), seen)
    assert clean_at(MOMENT)["links"] == 1
    assert set(Link.objects.all()) == {kept, seen, young}
    assert not Link.objects.filter(pk=old.pk).exists()


def test_a_session_that_nobody_used_for_half_an_hour_goes() -> None:
    for name, minutes in [("used", 29), ("idle", 30)]:
        with time_machine.travel(MOMENT - timedelta(minutes=minutes), tick=False):
            PortalSession.objects.create(session_key=name, session_data="", expire_date=MOMENT + DAY)
    assert clean_at(MOMENT)["sessions"] == 1
    assert PortalSession.objects.get().pk == "used"


def test_messages_go_ninety_days_after_they_were_sent_or_given_up_and_waiting_ones_stay() -> None:
    kept: list[UUID] = []
    for age in (90 * DAY, 90 * DAY + timedelta(seconds=1)):
        with time_machine.travel(MOMENT - age, tick=False):
            sent, failed, waiting = (make_message() for _ in range(3))
            Message.objects.filter(pk=failed.pk).update(body_sealed="t1.AAAA")
            assert operations.deliver(sent.pk) == MessageState.SENT
            assert operations.deliver(failed.pk) == MessageState.FAILED
        kept += [waiting.pk] if kept else [sent.pk, failed.pk, waiting.pk]
    assert SinkDelivery.objects.count() == 2
    assert clean_at(MOMENT)["messages"] == 2
    assert set(Message.objects.values_list("pk", flat=True)) == set(kept)
    assert SinkDelivery.objects.get().pk == kept[0]


def test_one_run_deletes_a_bounded_number_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "BATCH", 2)
    monkeypatch.setattr(cleaning, "BATCHES", 2)
    for number in range(7):
        StoredAnswer.objects.create(scope=str(number), body_digest="", created_at=MOMENT - 2 * DAY)
    assert [clean_at(MOMENT)["answers"] for _ in range(3)] == [4, 3, 0]


def test_of_two_nodes_one_cleans(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr(cleaning, "clean", lambda: runs.append(1))
    with time_machine.travel(MOMENT, tick=False) as clock:
        tasks.clean()
        tasks.clean()
        clock.shift(600)
        tasks.clean()
    assert len(runs) == 2


def test_pin_resets_go_a_month_after_their_hour(customer: User) -> None:
    phone = make_device(customer)
    for name, ago in (("kept", 29), ("gone", 31)):
        asked_at = MOMENT - ago * DAY
        PinReset.objects.create(
            device=phone,
            owner=customer,
            method=ResetMethod.SMS,
            sent=False,
            code_digest=name,
            state=ResetState.VOID,
            created_at=asked_at,
            expires_at=asked_at,
            closed_at=asked_at,
        )
    assert clean_at(MOMENT)["pin resets"] == 1
    assert PinReset.objects.get().code_digest == "kept"


def test_what_merchants_saw_and_missed_goes_after_thirteen_months(customer: User) -> None:
    link = make_link(customer=customer)
    merchant = make_merchant(customer.bank)
    for age in (400 * DAY - timedelta(hours=1), 400 * DAY + timedelta(hours=1)):
        with time_machine.travel(MOMENT - age, tick=False):
            make_sighting(merchant, link)
            make_hour(merchant)
    counts = clean_at(MOMENT)
    assert (counts["sightings"], counts["lookup hours"]) == (1, 1)
    assert Sighting.objects.get().at == MOMENT - 400 * DAY + timedelta(hours=1)
    assert LookupHour.objects.get().hour == MOMENT - 400 * DAY + timedelta(hours=1)
    assert sum(clean_at(MOMENT).values()) == 0
