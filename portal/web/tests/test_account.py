"""One's own account: sessions, backup codes, a token for the API."""

from datetime import timedelta

import pytest
from django.test import Client

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import AccessToken, BackupCode, PortalSession, User
from portal.accounts.tests.people import code_at, enrol
from portal.accounts.tokens import find_token
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.browsers import browser_name
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def bea() -> User:
    return make_staff(make_bank())


@pytest.fixture
def secret(bea: User) -> str:
    return enrol(bea)[0]


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


def test_the_page_shows_who_one_is(bea: User) -> None:
    page = signed_in_client(bea).get("/account").content.decode()
    for text in (bea.name, bea.username or "", bea.bank.name, "Operator", "Activate and deactivate devices"):
        assert text in page


def test_sessions_are_listed_and_ended_one_by_one(bea: User) -> None:
    here, there = signed_in_client(bea), signed_in_client(bea)
    sessions = here.get("/account").context["sessions"]
    assert [session["current"] for session in sessions] == [True, False]
    answer = here.post(f"/account/sessions/{sessions[1]['id']}/end")
    assert (answer.status_code, answer["Location"]) == (302, "/account")
    assert there.get("/account").status_code == 302
    assert here.get("/account").status_code == 200
    assert events() == ["session.ended"]


def test_somebody_elses_session_is_as_unknown(bea: User) -> None:
    carl = signed_in_client(make_staff(bea.bank, name="Carl"))
    theirs = carl.get("/account").context["sessions"][0]["id"]
    here = signed_in_client(bea)
    for name in (theirs, "0" * 64):
        assert here.post(f"/account/sessions/{name}/end").status_code == 404
    assert carl.get("/account").status_code == 200
    assert [(code, actor) for _, code, actor, _ in refusals()] == [("not-found", str(bea.pk))] * 2


def test_all_others_end_at_once(bea: User) -> None:
    here = signed_in_client(bea)
    others = [signed_in_client(bea) for _ in range(2)]
    here.post("/account/sessions/end-others")
    assert [str(message) for message in here.get("/account").context["messages"]] == ["2 other sessions were ended."]
    assert [other.get("/account").status_code for other in others] == [302, 302]
    assert PortalSession.objects.count() == 1


@pytest.mark.parametrize("path", ["/account/sessions/end-others", "/account/sessions/x/end"])
def test_sessions_end_by_post_only(bea: User, path: str) -> None:
    assert signed_in_client(bea).get(path).status_code == 405


def test_a_token_needs_a_fresh_code_and_is_shown_once(bea: User, secret: str) -> None:
    client = signed_in_client(bea)
    answer = client.post("/account/api-token", {"token-code": code_at(secret)})
    raw = answer.context["new_token"]
    assert raw in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    token = find_token(raw)
    assert token is not None
    assert (token.user_id, token.scope, token.application) == (bea.pk, "staff", None)
    assert timedelta(minutes=14) < token.expires - clock.now() <= timedelta(minutes=15)
    later = client.get("/account")
    assert raw not in later.content.decode()
    assert len(later.context["tokens"]) == 1
    assert events()[-1] == "token.issued"


def test_a_wrong_code_makes_no_token_and_is_written_once(bea: User, secret: str) -> None:
    answer = signed_in_client(bea).post("/account/api-token", {"token-code": "000000"})
    assert answer.status_code == 422
    assert not AccessToken.objects.exists()
    assert refusals() == [("second-factor.refused", "second-factor-wrong", str(bea.pk), str(bea.pk))]


def test_a_code_used_for_a_token_does_not_work_again(bea: User, secret: str) -> None:
    client = signed_in_client(bea)
    code = code_at(secret)
    client.post("/account/api-token", {"token-code": code})
    assert client.post("/account/backup-codes", {"codes-code": code}).status_code == 422
    assert AccessToken.objects.count() == 1


def test_new_backup_codes_replace_the_old_and_are_shown_once(bea: User, secret: str) -> None:
    client = signed_in_client(bea)
    old = set(BackupCode.objects.values_list("digest", flat=True))
    answer = client.post("/account/backup-codes", {"codes-code": code_at(secret)})
    assert len(answer.context["codes"]) == 10
    assert answer["Cache-Control"] == "no-store"
    assert old.isdisjoint(BackupCode.objects.values_list("digest", flat=True))
    assert events()[-1] == "backup-codes.renewed"


def test_without_a_code_nothing_is_made(bea: User, secret: str) -> None:
    client = signed_in_client(bea)
    for path in ("/account/backup-codes", "/account/api-token"):
        assert client.post(path, {}).status_code == 422
        assert client.get(path)["Location"] == "/account"
    assert not AccessToken.objects.exists()


def test_a_password_alone_makes_no_token(bea: User, secret: str) -> None:
    client: Client = signed_in_client(bea, second_factor=False)
    assert client.post("/account/api-token", {"token-code": code_at(secret)}).status_code == 302
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/139 Safari/537.36 Edg/139",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/139 Mobile Safari/537.36", "Chrome on Android"),
        ("", "A browser"),
        ("<script>", "A browser"),
    ],
)
def test_browsers_have_names(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
