"""What counts as an answer, and everything that does not."""

import json
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from django.db import IntegrityError, transaction

from devices.models import DeviceKey
from devices.tests.factories import (
    customer_actor,
    make_customer,
    make_staff,
    make_token,
    staff_actor,
)
from portal.accounts.models import AccessToken, RefreshToken
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.errors import (
    Forbidden,
    NotFound,
)
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request, signed_message_of
from twofa.operations.contents import message_of
from twofa.tests.asking import (
    Scene,
    bound,
    digest,
    events,
    make_phone,
    nothing_changes,
    numbers_of,
    signed,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def asked(scene: Scene) -> TwoFactorRequest:
    return scene.ask().request


# An approval, a denial.


def test_a_signed_approval_keeps_all_that_proves_it(scene: Scene, asked: TwoFactorRequest) -> None:
    message, signature = message_of(asked), signed(asked)
    approved = approve_request(actor=scene.owner, id=str(asked.pk), signature=signature.upper(), tx_id="tx-1")
    assert (approved.state, approved.closed_at is not None) == ("approved", True)
    answer = Answer.objects.get()
    assert (answer.decision, answer.proof, answer.verified, answer.not_me) == ("approved", "signature", True, False)
    assert (answer.device, answer.key) == (scene.phone, DeviceKey.objects.get())
    assert (answer.signature, answer.tx_id) == (signature, "tx-1")
    assert signed_message_of(answer) == message
    assert message not in answer.message_sealed
    event = AuditEvent.objects.get(event="two-factor.approved")
    assert (event.object_id, event.actor_label) == (str(asked.pk), "Ada")
    assert json.loads(event.data)["details"] == {
        "kind": "sign-in",
        "request": str(asked.request_id),
        "proof": "signature",
        "signed": True,
        "key": str(answer.key_id),
        "message": sha256(message.encode()).hexdigest(),
        "signature": digest(signature),
        "fingerprint": DeviceKey.objects.get().fingerprint,
        "tx_id": "tx-1",
    }


def test_without_a_transaction_id_it_is_the_signatures_digest(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    approved = approve_request(actor=scene.owner, id=str(asked.pk), signature=signature)
    assert approved.answer.tx_id == digest(signature)


def test_a_denial_rests_on_the_token(scene: Scene, asked: TwoFactorRequest) -> None:
    denied = deny_request(actor=scene.owner, id=str(asked.pk))
    assert denied.state == "denied"
    answer = Answer.objects.get()
    assert (answer.decision, answer.proof, answer.verified, answer.key) == ("denied", "token", False, None)
    assert (answer.signature, answer.tx_id, answer.not_me) == ("", "", False)
    assert events()[-1] == ("two-factor.denied", "done", "")


def test_der_is_read_too(scene: Scene, asked: TwoFactorRequest) -> None:
    der = encode_dss_signature(*numbers_of(message_of(asked))).hex()
    assert approve_request(actor=scene.owner, id=str(asked.pk), signature=der).state == "approved"


# Whoever else.


def test_only_the_destination_answers(scene: Scene) -> None:
    source = make_phone(scene.ada, "source")
    other = make_phone(scene.ada, "other")
    foreign = make_phone(make_customer(scene.ada.bank, "Cem"), "cem")
    request = scene.ask(source_id=str(source.pk), destination_id=str(scene.phone.pk)).request
    signature = signed(request)
    unbound = customer_actor(scene.ada)
    staff = staff_actor(make_staff(scene.ada.bank))
    for actor, error, code in [
        (bound(source), Forbidden, "not-the-destination"),
        (bound(other), NotFound, "not-found"),
        (bound(foreign), NotFound, "not-found"),
        (unbound, Forbidden, "device-token-needed"),
        (scene.server, Forbidden, "device-token-needed"),
        (staff, Forbidden, "device-token-needed"),
    ]:
        with nothing_changes(), pytest.raises(error) as refused:
            approve_request(actor=actor, id=str(request.pk), signature=signature)
        assert refused.value.code == code
        with nothing_changes(), pytest.raises(error) as refused:
            deny_request(actor=actor, id=str(request.pk))
        assert refused.value.code == code


@pytest.mark.parametrize("id", ["", "none", "0c7c6f0e-4a7d-4b0a-9f43-1c55f2a9a001", "٣" * 32])
def test_an_unknown_request_is_not_found(id: str, scene: Scene) -> None:
    with nothing_changes(), pytest.raises(NotFound):
        deny_request(actor=scene.owner, id=id)


def test_the_database_lets_no_source_answer(scene: Scene, asked: TwoFactorRequest) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        TwoFactorRequest.objects.filter(pk=asked.pk).update(source=asked.destination_id)


def test_the_database_takes_no_second_answer_and_no_unproved_approval(scene: Scene, asked: TwoFactorRequest) -> None:
    given: dict[str, Any] = {
        "request": asked,
        "decision": "approved",
        "device": scene.phone,
        "proof": "token",
        "verified": False,
        "message_sealed": "x",
        "answered_at": clock.now(),
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        Answer.objects.create(**given)
    deny_request(actor=scene.owner, id=str(asked.pk))
    with pytest.raises(IntegrityError), transaction.atomic():
        Answer.objects.create(**{**given, "decision": "denied"})


# “It was not me.”


def session_of(scene: Scene) -> tuple[AccessToken, AccessToken]:
    """A session that waits, with what renews it, and another one of the same person."""
    for _ in range(2):
        make_token(user=scene.ada)
    waiting, other = AccessToken.objects.order_by("pk")
    family = ids.new_id()
    RefreshToken.objects.create(
        user=scene.ada, application=waiting.application, access_token=waiting, token_family=family, token="r"
    )
    return waiting, other


def test_it_was_not_me_ends_the_session_that_waits_and_raises_one_alert(
    scene: Scene, asked: TwoFactorRequest
) -> None:
    waiting, other = session_of(scene)
    TwoFactorRequest.objects.update(session=waiting)
    before = events()
    denied = deny_request(actor=scene.owner, id=str(asked.pk), not_me=True)
    assert events()[len(before) :] == [("two-factor.denied", "done", ""), ("two-factor.alert", "done", "")]
    assert Answer.objects.get().not_me
    assert list(AccessToken.objects.live()) == [other]
    assert RefreshToken.objects.get().revoked is not None
    alert = AuditEvent.objects.get(event="two-factor.alert")
    assert json.loads(alert.data)["details"] == {
        "why": "not-me",
        "account": scene.ada.public_id,
        "ended": {"sessions": 1},
    }
    assert denied.alerted_at is not None


def test_without_a_session_the_alert_is_raised_all_the_same(scene: Scene, asked: TwoFactorRequest) -> None:
    deny_request(actor=scene.owner, id=str(asked.pk), not_me=True)
    assert events()[-1] == ("two-factor.alert", "done", "")
