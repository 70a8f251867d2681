"""An answer that comes too late, whatever made it so, changes nothing."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from devices.models import DeviceKey
from devices.operations.activation import deactivate_device
from devices.operations.loss import report_lost
from devices.operations.transfer_acceptance import accept_transfer
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import customer_actor, make_customer, make_key, make_staff, make_transfer, staff_actor
from portal.core import clock
from portal.core.errors import Conflict, InvalidState, NotFound, VerificationFailed
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.asking import ask_again
from twofa.operations.closing import expire_requests
from twofa.operations.contents import message_of
from twofa.tests.asking import ORDER, Scene, bound, make_phone, nothing_changes, numbers_of, raw, refused_late, signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def asked(scene: Scene) -> TwoFactorRequest:
    return scene.ask().request


def test_an_answer_stands(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    approve_request(actor=scene.owner, id=str(asked.pk), signature=signature)
    refused_late(scene, asked, "request-closed", signature)


def test_a_malleated_twin_comes_too_late(scene: Scene, asked: TwoFactorRequest) -> None:
    r, s = numbers_of(message_of(asked))
    approve_request(actor=scene.owner, id=str(asked.pk), signature=raw(r, s))
    refused_late(scene, asked, "request-closed", raw(r, ORDER - s))


def test_a_twin_is_as_good_as_the_first_and_no_better(scene: Scene, asked: TwoFactorRequest) -> None:
    r, s = numbers_of(message_of(asked))
    approve_request(actor=scene.owner, id=str(asked.pk), signature=raw(r, ORDER - s))
    refused_late(scene, asked, "request-closed", raw(r, s))


def test_a_denial_is_not_approved_after_all(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    deny_request(actor=scene.owner, id=str(asked.pk))
    refused_late(scene, asked, "request-closed", signature)


def test_a_signature_is_good_for_one_request(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    approve_request(actor=scene.owner, id=str(asked.pk), signature=signature)
    again = scene.ask().request
    with pytest.raises(VerificationFailed):
        approve_request(actor=scene.owner, id=str(again.pk), signature=signature)


def test_a_signature_is_good_for_one_round(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    ask_again(actor=scene.server, id=str(asked.pk), destination_id=str(scene.phone.pk))
    with pytest.raises(VerificationFailed):
        approve_request(actor=scene.owner, id=str(asked.pk), signature=signature)


def test_after_its_end_nobody_answers(scene: Scene) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with time_machine.travel(start, tick=False):
        request = scene.ask().request
    with time_machine.travel(start + timedelta(seconds=180), tick=False):
        refused_late(scene, request, "request-expired", signed(request))


def test_up_to_its_end_somebody_answers(scene: Scene) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with time_machine.travel(start, tick=False):
        request = scene.ask().request
    with time_machine.travel(start + timedelta(seconds=179), tick=False):
        assert approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request)).state == "approved"


def test_after_deactivation_nobody_answers(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    staff = staff_actor(make_staff(scene.ada.bank))
    deactivate_device(actor=staff, device_id=str(scene.phone.pk), reason="Lost its case")
    refused_late(scene, asked, "request-closed", signature)


def test_a_device_that_is_out_of_use_answers_nothing_even_if_its_request_is_open(
    scene: Scene, asked: TwoFactorRequest
) -> None:
    type(scene.phone).objects.filter(pk=scene.phone.pk).update(status=DeviceStatus.BLOCKED, held_by=HeldBy.BANK)
    refused_late(scene, asked, "device-not-active", signed(asked))


def test_after_its_loss_nobody_answers(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    report_lost(actor=scene.owner, device_id=str(scene.phone.pk))
    refused_late(scene, asked, "request-closed", signature)


def test_after_it_was_given_away_neither_owner_answers(scene: Scene, asked: TwoFactorRequest) -> None:
    signature, cem = signed(asked), make_customer(scene.ada.bank, "Cem")
    offer = make_transfer(scene.phone, cem, code="12345678")
    owner = scene.owner
    accept_transfer(actor=customer_actor(cem), transfer_id=offer.public_id, acceptance_code="12345678")
    scene.phone.refresh_from_db()
    for actor, error in ((owner, Conflict), (bound(scene.phone), NotFound)):
        with nothing_changes(), pytest.raises(error):
            approve_request(actor=actor, id=str(asked.pk), signature=signature)
        with nothing_changes(), pytest.raises(error):
            deny_request(actor=actor, id=str(asked.pk))


def test_whoever_sweeps_first_it_has_expired(scene: Scene) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with time_machine.travel(start, tick=False):
        request = scene.ask().request
    with time_machine.travel(start + timedelta(seconds=200), tick=False):
        assert expire_requests() == 1
        refused_late(scene, request, "request-expired", signed(request))


def test_asked_of_another_device_the_first_one_answers_no_more(scene: Scene, asked: TwoFactorRequest) -> None:
    signature, other = signed(asked), make_phone(scene.ada, "other")
    ask_again(actor=scene.server, id=str(asked.pk), destination_id=str(other.pk))
    refused_late(scene, asked, "not-found", signature)
    with pytest.raises(VerificationFailed):  # nor does the other one, by what the first one signed
        approve_request(actor=bound(other), id=str(asked.pk), signature=signature)


def test_a_key_that_came_since_does_not_sign_for_the_one_that_was_asked(
    scene: Scene, asked: TwoFactorRequest
) -> None:
    DeviceKey.objects.update(retired_at=clock.now())
    make_key(scene.phone, "new")
    with nothing_changes(), pytest.raises(InvalidState) as refused:
        approve_request(actor=scene.owner, id=str(asked.pk), signature=signed(asked, "new"))
    assert refused.value.code == "no-approval-key"
    again = ask_again(actor=scene.server, id=str(asked.pk), destination_id=str(scene.phone.pk)).request
    assert approve_request(actor=scene.owner, id=str(asked.pk), signature=signed(again, "new")).state == "approved"


def test_a_key_that_was_retired_counts_no_more(scene: Scene, asked: TwoFactorRequest) -> None:
    signature = signed(asked)
    DeviceKey.objects.update(retired_at=clock.now())
    with nothing_changes(), pytest.raises(InvalidState) as refused:
        approve_request(actor=scene.owner, id=str(asked.pk), signature=signature)
    assert refused.value.code == "no-approval-key"
