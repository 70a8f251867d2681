"""Signing in at the portal: password, second factor, session."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.test import Client

from devices.tests.factories import make_bank, make_customer, make_staff
from portal.accounts.models import PortalSession, TotpAuthenticator, User
from portal.accounts.tests.people import code_at, enrol
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
PAGES = ("/", "/devices", "/audit", "/account", "/outbox", "/docs", "/account/api-token", "/account/backup-codes")


@pytest.fixture
def bea() -> User:
    person = make_staff(make_bank(), username="bea.lund")
    person.set_password(PASSWORD)
    person.save()
    return person


def first_step(client: Client, username: str = "bea.lund", password: str = PASSWORD, **extra: str) -> object:
    return client.post("/sign-in", {"username": username, "password": password, **extra})


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


def test_password_then_code_signs_in(client: Client, bea: User) -> None:
    secret, _ = enrol(bea)
    answer = client.post("/sign-in", {"username": "bea.lund", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/code")
    answer = client.post("/sign-in/code", {"code": code_at(secret)})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/account").status_code == 200
    assert events()[-1] == "sign-in.succeeded"
    assert refusals() == []


def test_each_step_gives_the_session_a_new_key(client: Client, bea: User) -> None:
    secret, _ = enrol(bea)
    keys = []
    first_step(client)
    keys.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    first_step(client)
    keys.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    client.post("/sign-in/code", {"code": code_at(secret)})
    keys.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    assert len(set(keys)) == 3
    assert PortalSession.objects.count() == 1


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("bea.lund", "wrong"),
        ("nobody", PASSWORD),
        ("carl", PASSWORD),
        ("bea.lund\x07", PASSWORD),
        ("x" * 200, "y" * 300),
    ],
)
def test_what_is_wrong_is_not_said(client: Client, bea: User, username: str, password: str) -> None:
    make_staff(bea.bank, username="carl", is_active=False)
    answer = client.post("/sign-in", {"username": username, "password": password})
    assert answer.status_code == 422
    assert "The user name or the password is not right." in answer.content.decode()
    assert events() == ["sign-in.refused"]
    assert not PortalSession.objects.exists()


def test_a_name_that_cannot_be_stored_is_refused_by_the_form(client: Client, bea: User) -> None:
    assert client.post("/sign-in", {"username": "bea.lund\x00", "password": PASSWORD}).status_code == 422
    assert not PortalSession.objects.exists()


def test_a_customer_never_signs_in(client: Client, bea: User) -> None:
    ada = make_customer(bea.bank)
    ada.set_password(PASSWORD)
    ada.save()
    for name in (ada.public_id, ada.customer_number, ada.name):
        assert client.post("/sign-in", {"username": name or "", "password": PASSWORD}).status_code == 422


def test_the_sixth_password_is_locked_out_even_when_right(client: Client, bea: User) -> None:
    for _ in range(5):
        first_step(client, password="wrong")
    answer = client.post("/sign-in", {"username": "bea.lund", "password": PASSWORD})
    assert answer.status_code == 423
    assert "Too many attempts" in answer.content.decode()
    assert not PortalSession.objects.exists()


@pytest.mark.parametrize("path", PAGES)
def test_password_alone_opens_no_page(client: Client, bea: User, path: str) -> None:
    enrol(bea)
    first_step(client)
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in")
    assert SESSION_KEY not in client.session
    assert client.post(path).status_code in {302, 405}


@pytest.mark.parametrize("path", PAGES)
def test_a_session_without_second_factor_opens_no_page(bea: User, path: str) -> None:
    answer = signed_in_client(bea, second_factor=False).get(path)
    assert (answer.status_code, answer["Location"].startswith("/sign-in")) == (302, True)


def test_a_new_password_ends_half_a_sign_in(client: Client, bea: User) -> None:
    secret, _ = enrol(bea)
    first_step(client)
    bea.set_password("another long enough password")
    bea.save()
    assert client.post("/sign-in/code", {"code": code_at(secret)})["Location"] == "/sign-in"
    assert not PortalSession.objects.exists()


@pytest.mark.parametrize("path", ["/sign-in/code", "/sign-in/enrol"])
def test_second_step_needs_the_first(client: Client, bea: User, path: str) -> None:
    for answer in (client.get(path), client.post(path, {"code": "123456"})):
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in")


def test_half_a_sign_in_ends_after_five_minutes(client: Client, bea: User) -> None:
    secret, _ = enrol(bea)
    now = clock.now()
    with time_machine.travel(now, tick=False):
        first_step(client)
    with time_machine.travel(now + timedelta(minutes=4, seconds=58), tick=False):
        assert client.get("/sign-in/code").status_code == 200
    with time_machine.travel(now + timedelta(minutes=5, seconds=1), tick=False):
        answer = client.post("/sign-in/code", {"code": code_at(secret)})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in")
    assert not PortalSession.objects.exists()


def test_suspension_ends_half_a_sign_in(client: Client, bea: User) -> None:
    secret, _ = enrol(bea)
    first_step(client)
    User.objects.filter(pk=bea.pk).update(is_active=False)
    assert client.post("/sign-in/code", {"code": code_at(secret)})["Location"] == "/sign-in"


def test_a_wrong_code_is_written_once_and_then_throttled(client: Client, bea: User) -> None:
    secret, _ = enrol(bea)
    first_step(client)
    answer = client.post("/sign-in/code", {"code": "000000"})
    assert answer.status_code == 422
    assert "The code is not right, or was used before." in answer.content.decode()
    assert refusals() == [("second-factor.refused", "second-factor-wrong", str(bea.pk), str(bea.pk))]
    answer = client.post("/sign-in/code", {"code": code_at(secret)})
    assert answer.status_code == 429
    assert SESSION_KEY not in client.session


def test_a_code_works_once(client: Client, bea: User) -> None:
    secret, _ = enrol(bea)
    code = code_at(secret)
    first_step(client)
    client.post("/sign-in/code", {"code": code})
    other = Client()
    first_step(other)
    assert other.post("/sign-in/code", {"code": code}).status_code == 422


def test_a_backup_code_signs_in_once(client: Client, bea: User) -> None:
    _, codes = enrol(bea)
    first_step(client)
    assert client.post("/sign-in/code", {"code": codes[0].upper()})["Location"] == "/"
    other = Client()
    first_step(other)
    assert other.post("/sign-in/code", {"code": codes[0]}).status_code == 422
    assert events().count("backup-code.used") == 1


def test_first_sign_in_sets_up_the_authenticator_and_shows_backup_codes_once(client: Client, bea: User) -> None:
    first_step(client)
    assert client.get("/sign-in/code")["Location"] == "/sign-in/enrol"
    page = client.get("/sign-in/enrol")
    text = page.content.decode()
    assert "<svg" in text
    assert "style=" not in text
    secret = page.context["secret"]
    assert client.get("/sign-in/enrol").context["secret"] == secret
    done = client.post("/sign-in/enrol", {"code": code_at(secret)})
    assert done.status_code == 200
    assert len(done.context["codes"]) == 10
    assert done["Cache-Control"] == "no-store"
    assert events() == ["second-factor.enrolled", "sign-in.succeeded"]
    assert client.get("/account").status_code == 200
    assert client.get("/sign-in/enrol")["Location"] == "/sign-in"
    assert TotpAuthenticator.objects.get(user=bea).confirmed


def test_a_wrong_first_code_keeps_the_same_secret(client: Client, bea: User) -> None:
    first_step(client)
    secret = client.get("/sign-in/enrol").context["secret"]
    answer = client.post("/sign-in/enrol", {"code": "000000"})
    assert answer.status_code == 422
    assert answer.context["secret"] == secret
    assert not TotpAuthenticator.objects.get(user=bea).confirmed
    assert client.get("/account").status_code == 302


def test_an_enrolled_person_gets_no_second_secret(client: Client, bea: User) -> None:
    enrol(bea)
    first_step(client)
    for answer in (client.get("/sign-in/enrol"), client.post("/sign-in/enrol", {"code": "123456"})):
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/code")


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/devices?q=iPhone", "/devices?q=iPhone"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"),
        ("/a\r\nX: y", "/"),
        ("", "/"),
    ],
)
def test_next_leads_to_our_own_pages_only(client: Client, bea: User, wanted: str, target: str) -> None:
    secret, _ = enrol(bea)
    first_step(client, next=wanted)
    assert client.post("/sign-in/code", {"code": code_at(secret)})["Location"] == target


def test_a_page_is_found_again_after_the_sign_in(client: Client, bea: User) -> None:
    assert (
        client.get("/devices?q=a&status=ACTIVE")["Location"] == "/sign-in?next=%2Fdevices%3Fq%3Da%26status%3DACTIVE"
    )
    page = client.get("/sign-in?next=%2Fdevices")
    assert '<input type="hidden" name="next" value="/devices">' in page.content.decode()


def test_who_is_signed_in_needs_no_sign_in(bea: User) -> None:
    client = signed_in_client(bea)
    assert client.get("/sign-in?next=/docs")["Location"] == "/docs"


def test_sign_out_ends_the_session_and_is_only_by_post(bea: User) -> None:
    client = signed_in_client(bea)
    assert client.get("/sign-out").status_code == 405
    assert client.get("/account").status_code == 200
    assert client.post("/sign-out")["Location"] == "/sign-in"
    assert not PortalSession.objects.exists()
    assert events() == ["session.ended"]
    assert client.post("/sign-out")["Location"] == "/sign-in"
    assert events() == ["session.ended"]


def test_sign_out_forgets_half_a_sign_in(client: Client, bea: User) -> None:
    first_step(client)
    client.post("/sign-out")
    assert client.get("/sign-in/enrol")["Location"] == "/sign-in"
    assert not PortalSession.objects.exists()


def test_suspension_ends_a_session(bea: User) -> None:
    client = signed_in_client(bea)
    User.objects.filter(pk=bea.pk).update(is_active=False)
    assert client.get("/account").status_code == 302


def test_a_form_without_its_token_is_refused_and_written_once(bea: User) -> None:
    client = signed_in_client(bea, enforce_csrf_checks=True)
    answer = client.post("/sign-out")
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()
    assert refusals() == [("request.refused", "csrf", str(bea.pk), "")]
    assert client.get("/account").status_code == 200
