"""POST /oauth/token in the very form in which SPiD's SDKs send it: all parameters, empty ones too, in the body."""

from datetime import timedelta

import pytest

from portal.accounts.models import User
from portal.accounts.operations.clients import Created
from portal.accounts.operations.tokens import issue_token_pair
from portal.accounts.tests.conftest import Answer, Caller
from portal.accounts.tests.people import SYSTEM
from portal.core import clock

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.accounts.tests.urls")]


def as_the_sdk_sends_it(call: Caller, client: Created, grant: str, **form: str) -> Answer:
    return call(
        "token",
        None,
        client_id=client.application.client_id,
        client_secret=client.client_secret,
        redirect_uri="https://app.example/callback",
        grant_type=grant,
        scope="",
        state="",
        **form,
    )


def test_a_server_token_is_nobodys(call: Caller, server: Created) -> None:
    answer = as_the_sdk_sends_it(call, server, "client_credentials")
    assert (answer.status, answer.body["user_id"], answer.body["is_admin"]) == (200, False, False)
    assert (answer.body["expires_in"], answer.body["token_type"]) == (3600, "Bearer")
    assert abs(answer.body["server_time"] - clock.now().timestamp()) < 5
    assert "refresh_token" not in answer.body


def test_a_customers_token_names_the_customer(call: Caller, mobile: Created, ada: User) -> None:
    pair = issue_token_pair(
        actor=SYSTEM, application=mobile.application, user=ada, scopes=["fingerprints"], lifetime=timedelta(hours=1)
    )
    answer = as_the_sdk_sends_it(call, mobile, "refresh_token", refresh_token=pair.refresh_raw)
    assert (answer.status, answer.body["user_id"], answer.body["is_admin"]) == (200, ada.public_id, False)
    assert (answer.body["expires_in"], answer.body["scope"]) == (3600, "fingerprints")
    assert set(answer.body) == {
        *("access_token", "token_type", "expires_in", "scope", "refresh_token"),
        *("user_id", "is_admin", "server_time"),
    }


@pytest.mark.parametrize(
    ("grant", "error"), [("password", "unsupported_grant_type"), ("authorization_code", "invalid_request")]
)
def test_passwords_are_not_taken_and_codes_not_without_a_verifier(
    grant: str, error: str, call: Caller, mobile: Created
) -> None:
    answer = as_the_sdk_sends_it(call, mobile, grant, username="ada", password="secret", code="x")
    assert (answer.status, answer.body["error"]) == (400, error)
