"""Many sign-ins at one moment, in real threads: one of them counts."""

import hashlib
from typing import Any

import pytest
from django.db import connections

from devices.models import Device
from devices.operations.device_sessions import NewDevice, SignedIn
from devices.operations.enrolment import sign_up
from devices.operations.new_device_sign_in import finish_new_device, start_new_device
from devices.operations.sign_in import answer_challenge, start_challenge
from devices.tests.factories import bank_actor, make_application, make_bank, make_customer, private_key
from portal.accounts.actors import client_actor, signed_in_actor
from portal.accounts.models import AccessToken
from portal.accounts.operations.authorization import give_code, redeem_code
from portal.accounts.operations.refresh import refresh_session
from portal.accounts.operations.tokens import TokenPair
from portal.audit.models import AuditEvent
from portal.core import base64url
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError, VerificationFailed
from portal.tests.threads import race
from twofa.models import ActivationCode, EnrolmentPolicy
from twofa.operations.activation_codes import issue_activation_code
from twofa.operations.answering import approve_request
from twofa.tests.asking import bound, make_phone, sign, signed
from twofa.tests.identities import id_token, make_provider

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 64


def hex_of(name: str) -> str:
    numbers = private_key(name).public_key().public_numbers()
    return f"{numbers.x:064x}{numbers.y:064x}"


class Scene:
    def __init__(self) -> None:
        self.ada = make_customer(make_bank())
        make_provider(self.ada.bank)
        self.application = make_application(self.ada.bank, name="mobile")
        self.caller = client_actor(self.application, channel=Channel.HYPHEN)
        self.known: dict[str, Any] = {"actor": self.caller, "application": self.application}
        self.proved: dict[str, Any] = {"method": "bank-id", "token": id_token(self.ada)}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def counted(outcomes: list[Any]) -> tuple[int, int]:
    """Who signed in, and who was refused in our own words; nobody else is among them."""
    done = [one for one in outcomes if isinstance(one, SignedIn)]
    refused = [one for one in outcomes if isinstance(one, DomainError)]
    assert len(done) + len(refused) == len(outcomes), outcomes
    connections.close_all()
    return len(done), len(refused)


def test_one_code_lets_one_device_in(scene: Scene) -> None:
    EnrolmentPolicy.objects.create(bank=scene.ada.bank, in_person=True)
    code = issue_activation_code(
        actor=bank_actor(scene.ada.bank), customer_id=scene.ada.public_id, in_person=True
    ).code

    def one(number: int) -> SignedIn:
        device = NewDevice(external_id=f"phone-{number}")
        return sign_up(**scene.known, **scene.proved, activation_code=code, device=device)

    assert counted(race(MANY, one)) == (1, MANY - 1)
    assert (Device.objects.count(), AccessToken.objects.count()) == (1, 1)
    assert ActivationCode.objects.get().tries <= 5


def test_one_challenge_opens_one_session(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    text = start_challenge(**scene.known, **scene.proved, public_key=hex_of("ada")).text
    signature = sign(text)
    outcomes = race(MANY, lambda _: answer_challenge(**scene.known, text=text, signature=signature))
    assert counted(outcomes) == (1, MANY - 1)
    assert AccessToken.objects.count() == 1


def test_one_wrong_signature_leaves_nothing_for_the_right_one(scene: Scene) -> None:
    """Wrong and right at one moment: at most one session, and the challenge is used up either way."""
    make_phone(scene.ada, "ada")
    text = start_challenge(**scene.known, **scene.proved, public_key=hex_of("ada")).text
    signatures = [sign(text), sign(text, "other")]
    outcomes = race(MANY, lambda number: answer_challenge(**scene.known, text=text, signature=signatures[number % 2]))
    done, refused = counted(outcomes)
    assert done <= 1
    assert (done, refused) == (AccessToken.objects.count(), MANY - done)
    again = race(1, lambda _: answer_challenge(**scene.known, text=text, signature=signatures[0]))
    assert counted(again) == (0, 1)


def test_one_refresh_token_renews_once_and_coming_back_ends_the_session(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    text = start_challenge(**scene.known, **scene.proved, public_key=hex_of("ada")).text
    first = answer_challenge(**scene.known, text=text, signature=sign(text)).tokens
    nobody = Actor.anonymous(Channel.HYPHEN)
    outcomes = race(MANY, lambda _: refresh_session(actor=nobody, raw=first.refresh_raw))
    connections.close_all()
    assert [type(one) for one in outcomes if not isinstance(one, VerificationFailed)] == [TokenPair]
    assert (AccessToken.objects.count(), AccessToken.objects.live().count()) == (2, 0)


def test_one_authorization_code_opens_one_session_and_coming_back_ends_it(scene: Scene) -> None:
    verifier = "v" * 43
    challenge = base64url.encode(hashlib.sha256(verifier.encode()).digest())
    wanted = {"redirect_uri": "com.example.bank:/back", "scope": "devices", "code_challenge": challenge}
    code = give_code(
        actor=signed_in_actor(scene.caller, scene.ada), application=scene.application, user=scene.ada, **wanted
    )
    sent: dict[str, Any] = {"code": code, "redirect_uri": wanted["redirect_uri"], "verifier": verifier}
    outcomes = race(MANY, lambda _: redeem_code(**scene.known, **sent))
    connections.close_all()
    assert [type(one) for one in outcomes if not isinstance(one, VerificationFailed)] == [TokenPair]
    assert (AccessToken.objects.count(), AccessToken.objects.live().count()) == (1, 0)
    assert AuditEvent.objects.filter(code="code-reused").count() == MANY - 1


def test_one_approval_makes_one_device(scene: Scene) -> None:
    old = make_phone(scene.ada, "ada")
    started = start_new_device(**scene.known, **scene.proved, device=NewDevice(external_id="new"))
    request = started.asked.request
    approve_request(actor=bound(old), id=str(request.pk), signature=signed(request))
    token = AccessToken.objects.get()
    actor = signed_in_actor(scene.caller, scene.ada)
    waiting = type(actor)(**{**vars(actor), "token_id": token.pk})
    outcomes = race(MANY, lambda _: finish_new_device(actor=waiting, request_id=str(request.request_id)))
    assert counted(outcomes) == (1, MANY - 1)
    assert (Device.objects.count(), AccessToken.objects.live().count()) == (2, 1)
