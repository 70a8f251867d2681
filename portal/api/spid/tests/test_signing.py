"""Answers that are signed for the client that wants it, checked as the vendor's SDK does."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from django.core.cache import cache

from devices.tests.factories import make_token
from portal.accounts.models import Application, User
from portal.accounts.operations.client_signing import drop_sign_secret, renew_sign_secret
from portal.accounts.operations.clients import Created, create_application
from portal.accounts.scopes import CUSTOMER_SCOPES
from portal.api.spid.tests.knocking import send
from portal.api.tests.doors import at_most
from portal.core.actor import Actor

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")


@pytest.fixture(autouse=True)
def _nobody_has_called_yet() -> None:
    cache.clear()


def make(ada: User, *, signed_answers: bool = True) -> Created:
    return create_application(
        actor=SYSTEM,
        bank=ada.bank,
        kind="mobile",
        name="App",
        dialects=["spid"],
        scopes=sorted(CUSTOMER_SCOPES),
        signed_answers=signed_answers,
    )


def padded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(answer: dict[str, Any], secret: str) -> Any:
    """What the SDK makes of a signed answer; None when the signature is not by this secret."""
    assert answer["algorithm"] == "HMAC-SHA256"
    assert "=" not in answer["data"] + answer["sig"]
    right = hmac.new(secret.encode(), answer["data"].encode(), hashlib.sha256).digest()
    return json.loads(padded(answer["data"])) if hmac.compare_digest(right, padded(answer["sig"])) else None


def test_a_signed_answer_opens_with_the_clients_secret_and_with_no_other(ada: User) -> None:
    created = make(ada)
    answer = send(make_token(user=ada, application=created.application)).json()
    assert opened(answer, created.sign_secret) == {"hash": answer["hash"]}
    assert opened(answer, created.client_secret) is None
    assert opened({**answer, "data": "e30"}, created.sign_secret) is None
    assert list(answer) == [
        *("name", "version", "api", "object", "type", "code", "request", "debug", "meta", "error", "data", "hash"),
        *("algorithm", "sig"),
    ]


def test_refusals_are_not_signed(ada: User) -> None:
    created = make(ada)
    answer = send(make_token(user=ada, application=created.application), platform="x").json()
    assert answer["data"] is None
    assert "sig" not in answer


def test_a_renewed_secret_signs_from_the_next_answer_on_and_none_signs_none(ada: User) -> None:
    created = make(ada, signed_answers=False)
    token, client_id = make_token(user=ada, application=created.application), created.application.client_id
    assert "sig" not in send(token).json()
    first = renew_sign_secret(actor=SYSTEM, client_id=client_id, reason="Signed from today").sign_secret
    assert opened(send(token).json(), first)
    second = renew_sign_secret(actor=SYSTEM, client_id=client_id, reason="Key leaked").sign_secret
    answer = send(token).json()
    assert opened(answer, second)
    assert opened(answer, first) is None
    drop_sign_secret(actor=SYSTEM, client_id=client_id, reason="No longer wanted")
    assert send(token).json()["data"] == {"hash": answer["hash"]}


def test_signing_costs_no_query(ada: User) -> None:
    created = make(ada)
    token = make_token(user=ada, application=created.application)
    send(token)
    with at_most(4):  # token, device, fingerprint, last seen
        send(token)
    assert Application.objects.get().sign_secret_sealed != created.sign_secret
