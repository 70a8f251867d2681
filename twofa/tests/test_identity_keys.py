"""A provider's keys: kept for a while, asked for again when a token names one that is not there."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from jwcrypto import jwk

from devices.tests.factories import make_bank
from portal.core import clock
from portal.core.errors import Unavailable
from portal.crypto.jwts import BadToken, UnknownKey, claimed_subject, claims_of, read_keys
from portal.outbox.gateways import http
from portal.outbox.gateways.base import GatewayError
from portal.outbox.gateways.outside import is_address
from twofa.models import IdentityProvider
from twofa.operations.identity_keys import keys_of, newer_keys_of
from twofa.tests.identities import id_token, key_set, make_provider, signing_key

pytestmark = pytest.mark.django_db


class Answers:
    """What the provider's address answers, and how often it was asked."""

    def __init__(self) -> None:
        self.text, self.status, self.asked = key_set(), 200, 0
        self.down = False

    def __call__(self, who: str, url: str, *, headers: Any = None, outside: bool = False) -> http.Reply:
        assert outside
        self.asked += 1
        if self.down:
            raise GatewayError("down", retry=True)
        return http.Reply(self.status, {}, self.text.encode())


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    found = Answers()
    monkeypatch.setattr(http, "get", found)
    return found


@pytest.fixture
def provider() -> IdentityProvider:
    return make_provider(make_bank(), jwks_uri="https://id.bank.example/keys", key_set="")


def again(provider: IdentityProvider) -> IdentityProvider:
    return IdentityProvider.objects.get(pk=provider.pk)


def after(**passed: float) -> Any:
    return time_machine.travel(clock.now() + timedelta(**passed), tick=False)


def names(keys: list[dict[str, Any]]) -> list[str]:
    return [key["kid"] for key in keys]


def test_keys_are_fetched_once_an_hour(provider: IdentityProvider, answers: Answers) -> None:
    assert names(keys_of(provider)) == ["k1"]
    assert names(keys_of(again(provider))) == ["k1"]
    assert answers.asked == 1
    with after(minutes=61):
        keys_of(again(provider))
    assert answers.asked == 2


def test_a_withdrawn_key_is_gone_after_an_hour(provider: IdentityProvider, answers: Answers) -> None:
    keys_of(provider)
    answers.text = key_set(signing_key("k2"))
    with after(minutes=61):
        assert names(keys_of(again(provider))) == ["k2"]


def test_an_unknown_key_makes_us_ask_at_most_once_a_minute(provider: IdentityProvider, answers: Answers) -> None:
    keys_of(provider)
    answers.text = key_set(signing_key("k2"))
    assert [newer_keys_of(again(provider)) for _ in range(20)] == [None] * 20
    assert answers.asked == 1
    with after(seconds=61):
        assert names(newer_keys_of(again(provider)) or []) == ["k2"]
        assert newer_keys_of(again(provider)) is None
    assert answers.asked == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"down": True},
        {"status": 500},
        {"status": 302},
        {"text": "{}"},
        {"text": "no json"},
        {"text": '{"keys": []}'},
        {"text": "x" * 70_000},
    ],
)
def test_what_we_have_is_good_for_a_day_while_the_provider_is_down(
    provider: IdentityProvider, answers: Answers, broken: dict[str, Any]
) -> None:
    keys_of(provider)
    vars(answers).update(broken)
    with after(hours=23):
        assert names(keys_of(again(provider))) == ["k1"]
    with after(hours=25), pytest.raises(Unavailable):
        keys_of(again(provider))


def test_pinned_keys_are_never_asked_for(answers: Answers) -> None:
    provider = make_provider(make_bank())
    assert names(keys_of(provider)) == ["k1"]
    assert newer_keys_of(provider) is None
    assert answers.asked == 0


@pytest.mark.parametrize(
    ("url", "demo", "good"),
    [
        ("https://id.bank.example/keys", False, True),
        ("http://id.bank.example/keys", False, False),
        ("http://id.bank.example/keys", True, False),
        ("http://127.0.0.1:8000/keys", True, True),
        ("http://127.0.0.1:8000/keys", False, False),
        ("https://10.0.0.1/keys", False, False),
        ("https://169.254.169.254/keys", True, False),
        ("https://[::1]/keys", False, False),
        ("https://93.184.216.34/keys", False, True),
        ("https://id.bank.example:99999/keys", False, False),
        ("https://user@id.bank.example/keys", False, False),
        ("https://id.bank.example/keys#x", False, False),
        ("file:///etc/passwd", True, False),
        ("https://", False, False),
        ("https://[", False, False),
        ("", False, False),
    ],
)
def test_addresses_are_https_or_this_machine_in_the_demo(url: str, demo: bool, good: bool, settings: Any) -> None:
    settings.DEMO = demo
    assert is_address(url) is good


def _tampered(token: str) -> str:
    head, body, tail = token.split(".")
    return f"{head}.{body}.{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"


def _unsigned(token: str) -> str:
    return "eyJhbGciOiJub25lIn0." + token.split(".")[1] + "."


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_tampered, "token-signature"),
        (_unsigned, "token-algorithm"),
        (lambda token: token + ".x", "token-unreadable"),
        (lambda token: "", "token-unreadable"),
        (lambda token: "a.b.c", "token-unreadable"),
        (lambda token: "x" * 9000, "token-unreadable"),
    ],
)
def test_a_token_that_was_changed_is_refused(change: Callable[[str], str], code: str) -> None:
    with pytest.raises(BadToken) as refused:
        claims_of(change(id_token("C1")), read_keys(key_set()), ["ES256"])
    assert refused.value.code == code


def test_a_public_key_is_no_shared_secret() -> None:
    """The classic: the token is signed by HMAC, with the provider's public key as the secret."""
    public = signing_key("r1", "RS256")
    secret = jwk.JWK(kty="oct", k=jwk.base64url_encode(public.export_to_pem()))
    token = id_token("C1", key=_named(secret, "r1"), header={"alg": "HS256"})
    for algorithms in (["RS256"], ["RS256", "HS256"]):
        with pytest.raises(BadToken) as refused:
            claims_of(token, read_keys(key_set(public)), algorithms)
        assert refused.value.code == "token-algorithm"


def _named(key: jwk.JWK, name: str) -> jwk.JWK:
    return jwk.JWK(**{**key.export_symmetric(as_dict=True), "kid": name})


def test_a_key_in_the_token_counts_for_nothing() -> None:
    mine = signing_key("mine")
    token = id_token("C1", key=mine, header={"kid": "k1", "jwk": mine.export_public(as_dict=True)})
    with pytest.raises(BadToken) as refused:
        claims_of(token, read_keys(key_set()), ["ES256"])
    assert refused.value.code == "token-signature"


def test_whom_a_token_claims_to_speak_of_is_read_and_not_believed() -> None:
    assert claimed_subject(id_token("C1", key=signing_key("forged"))) == "C1"
    assert [claimed_subject(text) for text in ("", "a.b.c", "x" * 9000, id_token("C1", sub=None))] == [""] * 4


def test_an_unknown_key_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        claims_of(id_token("C1", key=signing_key("k9")), read_keys(key_set()), ["ES256"])


def test_weak_private_and_symmetric_keys_are_left_out() -> None:
    weak = jwk.JWK.generate(kty="RSA", size=1024, kid="weak").export_public(as_dict=True)
    private = jwk.JWK.generate(kty="EC", crv="P-256", kid="private").export_private(as_dict=True)
    shared = jwk.JWK.generate(kty="oct", size=256, kid="shared").export_symmetric(as_dict=True)
    small = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "small-order"}
    other = jwk.JWK.generate(kty="EC", crv="P-384", kid="other").export_public(as_dict=True)
    cipher = {**signing_key("enc").export_public(as_dict=True), "use": "enc"}
    good = signing_key().export_public(as_dict=True)
    found = read_keys(json.dumps({"keys": [weak, private, shared, small, other, cipher, 7, good]}))
    assert names(found) == ["k1"]
