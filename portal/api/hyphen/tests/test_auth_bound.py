"""Sessions that only work with a proof of the device's key (RFC 9449): each call, and renewing them."""

from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from jwcrypto import jwk, jwt

from devices.tests.factories import private_key
from portal.api.hyphen.tests.signing_in import REFRESH, Scene, refused
from portal.api.tests.doors import Caller
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.crypto import jwts
from portal.crypto.dpop import token_hash
from twofa.tests.asking import make_phone

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def dpop(url: str, method: str, token: str = "", *, key: str = "ada", **claims: Any) -> str:
    """A proof by the device's key that this very call is its own."""
    public = jwts.jwk_of(private_key(key).public_key())
    said = {"htm": method, "htu": url, "iat": int(clock.now().timestamp()), "jti": str(ids.new_id())}
    if token:
        said["ath"] = token_hash(token)
    made = jwt.JWT(header={"typ": "dpop+jwt", "alg": "ES256", "jwk": public}, claims={**said, **claims})
    made.make_signed_token(jwk.JWK.from_pyca(private_key(key)))
    return str(made.serialize())


@pytest.fixture
def bound(scene: Scene, settings: Any) -> dict[str, str]:
    """The credentials of a session whose calls have to be proved."""
    settings.BASE_URL = "https://portal.example"
    scene.application.proves_possession = True
    scene.application.save()
    make_phone(scene.ada, "ada")
    found: dict[str, str] = scene.respond(scene.challenge().json()["challengeData"]).json()["credentials"]
    return found


DEVICES = "https://portal.example/device/v1/devices"


def called(token: str, proof: str, scheme: str = "DPoP") -> int:
    headers = {"Authorization": f"{scheme} {token}", **({"DPoP": proof} if proof else {})}
    return int(Caller(None, **headers).get("/device/v1/devices").status_code)


def test_a_bound_session_works_with_a_proof_and_each_proof_once(bound: dict[str, str]) -> None:
    token = bound["accessToken"]
    proof = dpop(DEVICES, "GET", token)
    assert [called(token, proof), called(token, proof)] == [200, 401]
    assert called(token, dpop(DEVICES, "GET", token)) == 200


@pytest.mark.parametrize(
    "proof",
    [
        lambda token: "",
        lambda token: "x.y.z",
        lambda token: dpop(DEVICES, "POST", token),
        lambda token: dpop(DEVICES + "/x", "GET", token),
        lambda token: dpop(DEVICES, "GET", "another"),
        lambda token: dpop(DEVICES, "GET"),
        lambda token: dpop(DEVICES, "GET", token, key="other"),
        lambda token: dpop(DEVICES, "GET", token, iat=1),
        lambda token: dpop(DEVICES, "GET", token, jti=""),
    ],
)
def test_a_stolen_token_without_the_key_opens_nothing(bound: dict[str, str], proof: Any) -> None:
    token = bound["accessToken"]
    with refused("proof-wrong", "token.refused"):
        assert called(token, proof(token)) == 401
    with refused("proof-wrong", "token.refused"):
        assert called(token, dpop(DEVICES, "GET", token), scheme="Bearer") == 401


def test_a_bound_session_is_renewed_with_a_proof(bound: dict[str, str]) -> None:
    body = {"refreshToken": bound["refreshToken"]}
    with refused("proof-wrong", "token.refused"):
        assert Caller().post(REFRESH, body).status_code == 401
    url = "https://portal.example/auth/v1/refresh"
    answer = Caller(None, DPoP=dpop(url, "POST")).post(REFRESH, body)
    assert answer.status_code == 200, answer.content
    token = answer.json()["credentials"]["accessToken"]
    assert (called(token, ""), called(token, dpop(DEVICES, "GET", token))) == (401, 200)


def renewed(scene: Scene, raw: str, **headers: str) -> Any:
    """The same at the token endpoint, by an application that has a client secret."""
    scene.application.refresh_from_db()
    scene.application.client_secret = "secret-of-the-app"
    scene.application.save()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": raw,
        "client_id": scene.application.client_id,
        "client_secret": "secret-of-the-app",
    }
    text = "&".join(f"{name}={value}" for name, value in form.items())
    return Client(headers=headers).post("/oauth/token", text, "application/x-www-form-urlencoded")


def test_the_token_endpoint_wants_the_proof_too(scene: Scene, bound: dict[str, str]) -> None:
    raw, url = bound["refreshToken"], "https://portal.example/oauth/token"
    for proof in ("", "x.y.z", dpop(url, "POST", key="other"), dpop(url, "GET")):
        with refused("proof-wrong", "token.refused"):
            answer = renewed(scene, raw, **({"DPoP": proof} if proof else {}))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    proof = dpop(url, "POST")
    answer = renewed(scene, raw, DPoP=proof)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")
    again = renewed(scene, answer.json()["refresh_token"], DPoP=proof)  # each proof once
    assert again.json()["error"] == "invalid_grant"
    token = answer.json()["access_token"]
    assert (called(token, ""), called(token, dpop(DEVICES, "GET", token))) == (401, 200)


def test_a_thief_without_the_key_is_limited_and_the_owner_is_not(bound: dict[str, str], settings: Any) -> None:
    """The owner calls from another address than the thief."""
    cache.clear()  # of what other tests counted
    settings.API_CALLS_PER_MINUTE = 3
    token = bound["accessToken"]
    with time_machine.travel(clock.now(), tick=False):
        assert [called(token, "") for _ in range(5)] == [401, 401, 401, 429, 429]
        assert AuditEvent.objects.filter(event="token.refused", code="proof-wrong").count() == 3
        owner = Caller(None, Authorization=f"DPoP {token}", DPoP=dpop(DEVICES, "GET", token))
        owner.client.defaults["REMOTE_ADDR"] = "127.0.0.2"
        assert owner.get("/device/v1/devices").status_code == 200
