"""Evidence is checked by somebody who has nothing of ours, and shows each change."""

import json
from typing import Any

import pytest

from devices.tests.factories import make_application, make_bank, make_staff, staff_actor
from portal.accounts.roles import Role
from portal.audit import sealing
from portal.audit.inclusion import signing_key_pem
from portal.audit.models import AuditLeaf
from portal.audit.testing import without_triggers
from portal.core.errors import DomainError, Forbidden, InvalidState, NotFound, Unavailable
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.evidence import take_evidence
from twofa.tests.asking import Scene, events, server_of, signed
from twofa.tests.evidencing import approved, check, package, script

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_signed_approval_holds(scene: Scene) -> None:
    request = approved(scene)
    found = package(scene, request)
    checked = check(found, log_key=signing_key_pem())
    assert (checked.approved, checked.signed, checked.event["object"]) == (True, True, str(request.pk))
    assert json.loads(checked.message)["userOpInfo"]["type"] == "sign-in"
    assert (found["salt"], found["txId"]) == ("", request.answer.tx_id)
    assert events()[-1] == ("two-factor.evidence", "done", "")


def test_a_denial_is_shown_as_not_signed(scene: Scene) -> None:
    request = deny_request(actor=scene.owner, id=str(scene.ask().request.pk))
    checked = check(package(scene, request))
    assert (checked.approved, checked.signed) == (False, False)


def test_an_approval_by_transaction_id_is_shown_as_not_signed() -> None:
    scene = Scene(rules={"approval_proof": "transaction-id"})
    request = scene.ask(text="Send 5 to Cem?").request
    approve_request(actor=scene.owner, id=str(request.pk), tx_id="0xabc")
    found = package(scene, request)
    checked = check(found)
    assert (checked.approved, checked.signed, checked.message) == (True, False, "Send 5 to Cem?")
    assert len(found["salt"]) == 64
    for name in ("message", "salt", "txId"):
        with pytest.raises(script.Bad):
            check({**found, name: found[name] + "0"})
    with pytest.raises(script.Bad, match="knows of no signature"):
        check({**found, "signature": "00"})


@pytest.mark.parametrize("proof", ["transaction-id", "token"])
def test_no_character_moves_between_the_salt_and_the_message(proof: str) -> None:
    scene = Scene(rules={"approval_proof": "transaction-id"})
    request = scene.ask(text="Send 5 to Cem?").request
    if proof == "token":
        deny_request(actor=scene.owner, id=str(request.pk))
    else:
        approve_request(actor=scene.owner, id=str(request.pk), tx_id="0xabc")
    found = package(scene, request)
    salt, message = found["salt"], found["message"]
    assert check(found).message == message
    for at in (0, 1, len(salt) - 1):
        with pytest.raises(script.Bad):
            check({**found, "salt": salt[:at], "message": salt[at:] + message})
    for at in (1, len(message)):
        with pytest.raises(script.Bad, match="another message"):
            check({**found, "salt": salt + message[:at], "message": message[at:]})


def test_a_salt_has_to_fit_the_proof(scene: Scene) -> None:
    found = package(scene, approved(scene))
    with pytest.raises(script.Bad, match="such a salt"):
        check({**found, "salt": "0" * 64})


def test_an_approval_by_transaction_id_needs_its_salt() -> None:
    scene = Scene(rules={"approval_proof": "transaction-id"})
    request = scene.ask(text="Send 5 to Cem?").request
    approve_request(actor=scene.owner, id=str(request.pk), tx_id="0xabc")
    with pytest.raises(script.Bad, match="such a salt"):
        check({**package(scene, request), "salt": ""})


def test_another_logs_key_is_seen(scene: Scene) -> None:
    found = package(scene, approved(scene))
    other = found["publicKey"]  # of the device
    with pytest.raises(script.Bad, match="another log's key"):
        check(found, log_key=other)


# Who gets it, and when.


def refused(scene: Scene, actor: Any, request: TwoFactorRequest, kind: type[DomainError], code: str) -> None:
    before = events()
    with pytest.raises(kind) as found:
        take_evidence(actor=actor, id=str(request.pk))
    assert found.value.code == code
    assert events() == before


def test_who_reads_the_audit_log_and_who_asked_get_it(scene: Scene) -> None:
    request = approved(scene)
    bank = scene.ada.bank
    package(scene, request)
    for role in (Role.APPROVER, Role.SECURITY_OFFICER, Role.AUDITOR):
        assert take_evidence(actor=staff_actor(make_staff(bank, role)), id=str(request.pk)).signature
    for role in (Role.SUPPORT, Role.OPERATOR, Role.ADMINISTRATOR):
        refused(scene, staff_actor(make_staff(bank, role)), request, Forbidden, "capability-missing")
    refused(scene, scene.owner, request, Forbidden, "capability-missing")


def test_another_application_and_another_bank_know_of_nothing(scene: Scene) -> None:
    request = approved(scene)
    sealing.seal_now()
    elsewhere = make_bank()
    for actor in (
        server_of(make_application(scene.ada.bank, kind="bank")),
        server_of(make_application(elsewhere, kind="bank")),
        staff_actor(make_staff(elsewhere, Role.AUDITOR)),
    ):
        refused(scene, actor, request, NotFound, "not-found")


def test_before_the_answer_and_before_the_seal_there_is_none(scene: Scene) -> None:
    request = scene.ask().request
    refused(scene, scene.server, request, InvalidState, "not-answered")
    approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request))
    refused(scene, scene.server, request, InvalidState, "not-sealed-yet")


def test_a_log_that_was_tampered_with_proves_nothing(scene: Scene) -> None:
    request = approved(scene)
    sealing.seal_now()
    with without_triggers():
        AuditLeaf.objects.filter(position=0).update(leaf_hash="0" * 64)
        refused(scene, scene.server, request, Unavailable, "log-broken")
