"""Another bank's provider, application, device and session are unknown ones at the doors of sign-in."""

import pytest

from devices.tests.factories import make_application, make_bank, make_customer, make_token
from portal.accounts.operations.clients import app_secret_digest
from portal.accounts.tokens import find_token
from portal.api.hyphen.tests.signing_in import FINISH, REFRESH, Scene, hex_of, refused
from portal.api.tests.doors import Caller
from portal.core import ids
from twofa.models import IdentityProvider
from twofa.tests.asking import make_phone
from twofa.tests.identities import id_token, key_set, make_provider, signing_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    found = Scene()
    make_phone(found.ada, "ada")
    return found


@pytest.fixture
def elsewhere(scene: Scene) -> Scene:
    """The same at another bank, whose provider has another key and the same name."""
    found = Scene.__new__(Scene)
    found.ada = make_customer(make_bank(), "Eve", customer_number=scene.ada.customer_number)
    found.provider = make_provider(found.ada.bank, key_set=key_set(signing_key("k2")))
    found.application = make_application(found.ada.bank, app_secret_digest=app_secret_digest("theirs"))
    found.app = Caller(None, **{"X-Hyphen-App-Secret": "theirs"})
    return found


def test_another_banks_word_is_not_believed(scene: Scene, elsewhere: Scene) -> None:
    token = id_token(scene.ada, key=signing_key("k2"))
    with refused("token-key-unknown", "device-sign-in.refused"):
        assert scene.challenge(request={"method": "bank-id", "token": token}).status_code == 403


def test_another_banks_provider_is_no_way_to_sign_in(scene: Scene, elsewhere: Scene) -> None:
    IdentityProvider.objects.filter(pk=elsewhere.provider.pk).update(name="their-id")
    known = {"token": scene.token()}
    unknown = scene.challenge(request={**known, "method": "no-such-id"})
    with refused("invalid-input"):
        foreign = scene.challenge(request={**known, "method": "their-id"})
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())


def test_another_banks_key_is_an_unknown_one(scene: Scene, elsewhere: Scene) -> None:
    make_phone(elsewhere.ada, "eve")
    unknown = scene.challenge("nobody")
    with refused("key-not-known"):
        foreign = scene.challenge("eve")
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())


def test_another_banks_application_answers_no_challenge(scene: Scene, elsewhere: Scene) -> None:
    text = scene.challenge().json()["challengeData"]
    with refused("challenge-unknown", "device-sign-in.refused"):
        foreign = elsewhere.respond(text)
    unknown = elsewhere.respond(text.replace("a", "b"))
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
    assert scene.respond(text).status_code == 200


def test_another_applications_secret_renews_nothing(scene: Scene, elsewhere: Scene) -> None:
    session = scene.respond(scene.challenge().json()["challengeData"]).json()["credentials"]
    unknown = elsewhere.app.post(REFRESH, {"refreshToken": "unknown"})
    with refused("refresh-token-unknown", "token.refused"):
        foreign = elsewhere.app.post(REFRESH, {"refreshToken": session["refreshToken"]})
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
    assert scene.app.post(REFRESH, {"refreshToken": session["refreshToken"]}).status_code == 200


def test_another_session_finishes_no_sign_in(scene: Scene, elsewhere: Scene) -> None:
    make_phone(elsewhere.ada, "eve")
    mine, theirs = scene.new_device().json(), scene.new_device("third").json()
    waiting = Caller(mine["ephemeralAccessToken"])
    unknown = waiting.post(FINISH, {"twoFactorAuthRequestId": str(ids.new_id())})
    foreign = waiting.post(FINISH, {"twoFactorAuthRequestId": theirs["twoFactorAuth"]["request"]["id"]})
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json()) == (404, unknown.json())
    whole = Caller(make_token(user=scene.ada, application=scene.application))
    with refused("insufficient-scope"):
        answer = whole.post(FINISH, {"twoFactorAuthRequestId": mine["twoFactorAuth"]["request"]["id"]})
    assert answer.status_code == 403


def test_a_customer_of_the_same_number_elsewhere_is_another(scene: Scene, elsewhere: Scene) -> None:
    make_phone(elsewhere.ada, "eve")
    token = id_token(elsewhere.ada, key=signing_key("k2"))
    body = {
        "challengeType": "deviceKey",
        "request": {"method": "bank-id", "token": token},
        "publicKey": hex_of("eve"),
    }
    text = elsewhere.app.post("/auth/v1/signin/challenge", body).json()["challengeData"]
    session = elsewhere.respond(text, "eve").json()["credentials"]
    found = find_token(session["accessToken"])
    assert found is not None
    assert found.user_id == elsewhere.ada.pk
