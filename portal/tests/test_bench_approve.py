"""`manage.py bench approve` prints the ratio to the floor with one open request and with many."""

import re
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import call_command

from devices.tests.factories import make_application, make_token, private_key
from portal.api.tests.doors import Caller
from twofa.models import Answer, TwoFactorRequest
from twofa.tests.asking import Scene


@pytest.mark.django_db
@pytest.mark.urls("portal.bench._approve_floor")
def test_the_floor_decides_as_the_call_does() -> None:
    scene = Scene()
    server, phone = Caller(make_token(application=scene.application)), _owner(scene)
    made = server.post("/device/v1/bench-ask", {"device": str(scene.phone.pk), "count": 2}).json()["requests"]
    filled = server.post("/device/v1/bench-fill", {"device": str(scene.phone.pk), "count": 3})
    assert filled.json() == {"open": 5}
    public = private_key("ada").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for request, path in zip(made, ("2fa/{}/approve", "bench-floor/{}"), strict=True):
        signature = private_key("ada").sign(request["message"].encode(), ec.ECDSA(SHA256())).hex()
        own = {"message": request["message"], "key": public} if "bench" in path else {}
        answer = phone.post(f"/device/v1/{path.format(request['id'])}", {"signature": signature, **own})
        assert answer.status_code == 204
        assert TwoFactorRequest.objects.get(pk=request["id"]).state == "approved"
    assert Answer.objects.count() == 2


def _owner(scene: Scene) -> Caller:
    mobile = make_application(scene.ada.bank, name="mobile")
    return Caller(make_token(user=scene.ada, device=scene.phone, application=mobile))


@pytest.mark.slow
@pytest.mark.machine
def test_it_prints_both_ratios() -> None:
    output = StringIO()
    call_command("bench", "approve", "--open", "2500", "--calls", "5", stdout=output)
    lines = output.getvalue().splitlines()
    number = r"[0-9]+\.[0-9]+"
    assert len(lines) == 5
    assert re.fullmatch(rf"1 open request: {number} times the floor \(at most 2\.5\)", lines[1])
    assert re.fullmatch(rf"2,500 open requests: {number} times the floor \(at most 2\.5\)", lines[3])
    assert re.fullmatch(rf"2,500 / 1: {number} times as long, the floor {number}", lines[4])
