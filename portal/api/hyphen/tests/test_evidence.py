"""Evidence for the application that asked."""

import json

import pytest

from devices.tests.factories import make_application, make_token
from portal.api.tests.doors import Caller, at_most, refused_once
from portal.audit.models import AuditEvent
from portal.audit.sealing import seal_now
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request
from twofa.operations.evidence import take_evidence, written
from twofa.tests.asking import Scene, server_of, signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def server(scene: Scene) -> Caller:
    return Caller(make_token(application=scene.application))


def answered(scene: Scene, *, sealed: bool = True) -> TwoFactorRequest:
    request = scene.ask().request
    approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request))
    if sealed:
        seal_now()
    return request


def path(request: TwoFactorRequest) -> str:
    return f"/device/v1/2fa/{request.pk}/evidence"


def test_it_is_the_package_that_staff_get(scene: Scene) -> None:
    request = answered(scene)
    response = server(scene).get(path(request))
    assert response.status_code == 200
    same = json.loads(written(take_evidence(actor=server_of(scene.application), id=str(request.pk))))
    assert response.json() == same
    assert list(response.json()) == list(same)
    assert AuditEvent.objects.filter(event="two-factor.evidence").count() == 2


def test_it_costs_the_same_however_long_the_log(scene: Scene) -> None:
    for number in (1, 20):
        for _ in range(number):
            request = answered(scene, sealed=False)
        seal_now()
        caller = server(scene)
        with at_most(12):
            assert caller.get(path(request)).status_code == 200


def test_before_the_answer_and_the_seal_it_is_a_conflict(scene: Scene) -> None:
    request, caller = scene.ask().request, server(scene)
    with refused_once("not-answered", who="core banking"):
        assert caller.get(path(request)).status_code == 409
    request = answered(scene, sealed=False)
    with refused_once("not-sealed-yet", who="core banking"):
        assert caller.get(path(request)).status_code == 409


def test_customers_and_other_applications_get_none(scene: Scene) -> None:
    request = answered(scene)
    mobile = make_application(scene.ada.bank, name="mobile")
    owner = Caller(make_token(user=scene.ada, device=scene.phone, application=mobile))
    with refused_once("insufficient-scope", who="Ada"):
        assert owner.get(path(request)).status_code == 403
    other = Caller(make_token(application=make_application(scene.ada.bank, kind="bank", name="other")))
    with refused_once("not-found", who="other"):
        assert other.get(path(request)).status_code == 404
