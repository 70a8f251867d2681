"""The portal's sessions: what the database knows of them, and when they end."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import PortalSession, User, session_digest
from portal.accounts.sessions import SessionStore
from portal.accounts.tests.people import enrol
from portal.core import clock

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.accounts.tests.urls")]

COOKIE = settings.SESSION_COOKIE_NAME


@pytest.fixture
def bea() -> User:
    return make_staff(make_bank(), username="bea")


@pytest.fixture
def browser(bea: User) -> Client:
    client = Client(headers={"User-Agent": "Firefox 140"})
    client.get("/sign-in?username=bea")
    return client


def key_of(browser: Client) -> str:
    return browser.cookies[COOKIE].value


def text(browser: Client, address: str) -> str:
    return browser.get(address).content.decode()


def test_the_database_knows_only_a_digest_of_the_cookie(browser: Client, bea: User) -> None:
    row = PortalSession.objects.get()
    assert row.session_key == session_digest(key_of(browser)) != key_of(browser)
    assert (row.user, row.ip, row.user_agent) == (bea, "127.0.0.1", "Firefox 140")
    assert key_of(browser) not in str(PortalSession.objects.values().get())
    assert text(browser, "/whoami") == "Bea half"


def test_the_digest_as_a_cookie_opens_nothing(browser: Client) -> None:
    thief = Client()
    thief.cookies[COOKIE] = session_digest(key_of(browser))
    assert text(thief, "/whoami") == "nobody"


@pytest.mark.parametrize("cookie", ["short", "x" * 10_000, "ünïcödé-cookie", "a b c d e f", "' OR 1=1 --"])
def test_a_cookie_of_nobody_opens_nothing(cookie: str) -> None:
    client = Client()
    client.cookies[COOKIE] = cookie
    assert text(client, "/whoami") == "nobody"
    assert PortalSession.objects.count() == 0


def test_signing_in_changes_the_key_and_keeps_the_data() -> None:
    make_staff(make_bank(), username="bea")
    client = Client()
    client.get("/write?word=before")
    fixed = key_of(client)
    client.get("/sign-in?username=bea")
    assert key_of(client) != fixed
    assert text(client, "/page") == "before"
    attacker = Client()
    attacker.cookies[COOKIE] = fixed
    assert text(attacker, "/whoami") == "nobody"
    assert PortalSession.objects.count() == 1


def test_a_new_password_changes_the_key_and_stays_signed_in(browser: Client) -> None:
    before, other = key_of(browser), Client()
    other.get("/sign-in?username=bea")
    assert text(browser, "/new-password") == "changed"
    assert key_of(browser) != before
    assert text(browser, "/whoami") == "Bea half"
    assert text(other, "/whoami") == "nobody"


def test_leaving_removes_the_row_and_the_cookie(browser: Client) -> None:
    response = browser.get("/leave")
    assert PortalSession.objects.count() == 0
    assert response.cookies[COOKIE].value == ""
    assert text(browser, "/whoami") == "nobody"


def test_a_page_that_reads_no_session_makes_none_and_does_not_vary() -> None:
    client = Client()
    response = client.get("/plain")
    assert COOKIE not in response.cookies
    assert "Cookie" not in response.get("Vary", "")
    assert PortalSession.objects.count() == 0


def test_a_page_that_reads_the_session_varies_on_the_cookie(browser: Client) -> None:
    assert "Cookie" in browser.get("/page")["Vary"]


def test_the_api_has_no_session_whatever_cookie_comes(browser: Client) -> None:
    before = PortalSession.objects.values().get()
    assert text(browser, "/v1/whoami") == "nobody"
    response = browser.get("/v1/write?word=secret")
    assert COOKIE not in response.cookies
    assert "Cookie" not in response.get("Vary", "")
    assert PortalSession.objects.values().get() == before


def test_an_api_call_costs_no_session_query(browser: Client, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        browser.get("/v1/whoami")


def test_half_an_hour_without_a_request_ends_it(browser: Client) -> None:
    begun = clock.now()
    with time_machine.travel(begun + timedelta(minutes=29), tick=False):
        assert text(browser, "/whoami") == "Bea half"
    with time_machine.travel(begun + timedelta(minutes=58), tick=False):
        assert text(browser, "/whoami") == "Bea half"
    with time_machine.travel(begun + timedelta(minutes=89), tick=False):
        assert text(browser, "/whoami") == "nobody"


def test_eight_hours_end_it_however_busy_it_is(browser: Client) -> None:
    begun = clock.now()
    for minutes in range(20, 480, 20):
        with time_machine.travel(begun + timedelta(minutes=minutes), tick=False):
            assert text(browser, f"/write?word=w{minutes}") == f"w{minutes}"
            assert text(browser, "/whoami") == "Bea half"
    with time_machine.travel(begun + timedelta(minutes=480, seconds=1), tick=False):
        assert text(browser, "/whoami") == "nobody"


def test_the_last_use_is_written_once_a_minute(browser: Client) -> None:
    begun = clock.now()
    seen = []
    for seconds in (10, 50, 70, 100, 140):
        with time_machine.travel(begun + timedelta(seconds=seconds), tick=False):
            browser.get("/whoami")
            seen.append(round((PortalSession.objects.get().last_seen_at - begun).total_seconds()))
    assert seen == [0, 0, 70, 70, 140]


def test_a_session_that_was_ended_is_not_brought_back_by_a_late_request(bea: User) -> None:
    store = SessionStore(ip="192.0.2.1")
    store["word"] = "one"
    store.save()
    late = SessionStore(store.session_key)
    late["word"] = "two"
    store.delete()
    with pytest.raises(UpdateError):
        late.save()
    assert PortalSession.objects.count() == 0


def test_a_request_whose_session_ends_meanwhile_is_400_and_signed_out(browser: Client) -> None:
    original = SessionStore.encode

    def end_first(self: SessionStore, data: dict[str, object]) -> str:
        PortalSession.objects.all().delete()
        return original(self, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SessionStore, "encode", end_first)
        assert browser.get("/write").status_code == 400
    assert text(browser, "/whoami") == "nobody"


def test_old_sessions_are_cleared_and_live_ones_stay(browser: Client) -> None:
    now = clock.now()
    for number, (ends, seen) in enumerate([(-1, 0), (60, -31), (60, -29)]):
        row = PortalSession.objects.create(
            session_key=str(number), session_data="", expire_date=now + timedelta(minutes=ends)
        )
        PortalSession.objects.filter(pk=row.pk).update(last_seen_at=now + timedelta(minutes=seen))
    SessionStore.clear_expired()
    assert sorted(PortalSession.objects.values_list("pk", flat=True)) == sorted(
        ["2", session_digest(key_of(browser))]
    )


def test_a_suspended_person_is_signed_out_at_the_next_request(browser: Client, bea: User) -> None:
    bea.is_active = False
    bea.save()
    assert text(browser, "/whoami") == "nobody"


def test_django_otp_knows_our_authenticator_again(bea: User) -> None:
    enrol(bea)
    client = Client()
    client.get("/sign-in?username=bea&verified")
    assert text(client, "/whoami") == "Bea verified"
    bea.totp.delete()
    assert text(client, "/whoami") == "Bea half"


def test_an_unconfirmed_authenticator_verifies_nobody(bea: User) -> None:
    enrol(bea)
    client = Client()
    client.get("/sign-in?username=bea&verified")
    bea.totp.confirmed = False
    bea.totp.save()
    assert text(client, "/whoami") == "Bea half"


def test_anothers_authenticator_verifies_nobody(bea: User) -> None:
    cem = make_staff(bea.bank, name="Cem")
    enrol(bea)
    enrol(cem)
    client = Client()
    client.get("/sign-in?username=bea&verified")
    session = client.session
    session["otp_device_id"] = cem.totp.persistent_id
    session.save()
    assert text(client, "/whoami") == "Bea half"


def test_a_user_agent_is_cut_and_cleaned(bea: User) -> None:
    client = Client(headers={"User-Agent": "x\x00\x07" + "y" * 500})
    client.get("/sign-in?username=bea")
    assert PortalSession.objects.get().user_agent == "x" + "y" * 199
