"""Approvals by transaction id: taken where two people set it so, and marked as not signed."""

import json
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from portal.audit.models import AuditEvent
from portal.core.errors import InvalidInput, InvalidState, Unavailable, VerificationFailed
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.answering import approve_request
from twofa.operations.contents import message_of
from twofa.tests.asking import PAYMENT, Scene, nothing_changes

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def asked(scene: Scene) -> TwoFactorRequest:
    return scene.ask().request


@pytest.fixture
def unsigned() -> Scene:
    return Scene(rules={"approval_proof": "transaction-id"})


def test_a_transaction_id_is_kept_and_marked_as_not_signed(unsigned: Scene) -> None:
    request = unsigned.ask(text='{"challenge": "abc"}').request
    assert message_of(request) == '{"challenge": "abc"}'  # their SDKs read it
    approved = approve_request(actor=unsigned.owner, id=str(request.pk), tx_id="tx-7", signature="ab" * 64)
    answer = Answer.objects.get()
    assert (approved.state, answer.proof, answer.verified) == ("approved", "transaction-id", False)
    assert (answer.signature, answer.key, answer.tx_id) == ("", None, "tx-7")
    details = json.loads(AuditEvent.objects.get(event="two-factor.approved").data)["details"]
    assert (details["proof"], details["signed"]) == ("transaction-id", False)


@pytest.mark.parametrize(("tx_id", "code"), [("", "required"), ("x" * 257, "max-length")])
def test_a_transaction_id_has_a_form(tx_id: str, code: str, unsigned: Scene) -> None:
    request = unsigned.ask().request
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        approve_request(actor=unsigned.owner, id=str(request.pk), tx_id=tx_id)
    assert [(one.field, one.code) for one in refused.value.fields] == [("tx_id", code)]


def test_a_signature_is_required_where_it_is_the_proof(scene: Scene, asked: TwoFactorRequest) -> None:
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        approve_request(actor=scene.owner, id=str(asked.pk), tx_id="tx-1")
    assert [(one.field, one.code) for one in refused.value.fields] == [("signature", "required")]


def test_a_payment_is_never_approved_unsigned(unsigned: Scene) -> None:
    with nothing_changes(), pytest.raises(InvalidState) as refused:
        unsigned.ask(kind="payment", facts=PAYMENT)
    assert refused.value.code == "payment-needs-signature"
    request = unsigned.ask().request
    with pytest.raises(IntegrityError), transaction.atomic():
        TwoFactorRequest.objects.filter(pk=request.pk).update(kind="payment")


def takes_seven(*, tx_id: str, **shown: Any) -> bool:
    assert set(shown) == {"application", "account", "operation", "text"}
    assert shown["operation"]["type"] == "sign-in"
    return tx_id == "tx-7"


def breaks(**shown: Any) -> bool:
    raise RuntimeError("not there")


def test_the_banks_own_function_looks_at_it(unsigned: Scene, settings: Settings) -> None:
    settings.TXID_CHECK = f"{__name__}.takes_seven"
    request = unsigned.ask().request
    with nothing_changes(("two-factor.failed", "refused", "tx-id-refused")), pytest.raises(VerificationFailed):
        approve_request(actor=unsigned.owner, id=str(request.pk), tx_id="tx-8")
    assert approve_request(actor=unsigned.owner, id=str(request.pk), tx_id="tx-7").answer.verified is False


def test_where_the_function_fails_nothing_is_approved(unsigned: Scene, settings: Settings) -> None:
    settings.TXID_CHECK = f"{__name__}.breaks"
    request = unsigned.ask().request
    with nothing_changes(), pytest.raises(Unavailable):
        approve_request(actor=unsigned.owner, id=str(request.pk), tx_id="tx-7")
