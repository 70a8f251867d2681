"""Every bound field: a signature over anything else does not hold."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devices.tests.factories import make_device
from portal.core.errors import VerificationFailed
from portal.core.json import canonical
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request
from twofa.operations.contents import message_of
from twofa.tests.asking import Scene, nothing_changes, raw, sign, signed

pytestmark = pytest.mark.django_db

SIGNATURE_WRONG = ("two-factor.failed", "refused", "signature-wrong")


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def asked(scene: Scene) -> TwoFactorRequest:
    return scene.ask().request


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    else:
        yield path


DESCRIBED = (
    *("id", "publicKey", "sdkVersion", "name", "osName", "osVersion"),
    *("deviceManufacturer", "deviceModel", "lang", "type"),
)
BOUND = {
    ("domain",),
    ("decision",),
    ("issuer", "bank"),
    ("issuer", "origin"),
    ("id",),
    ("requestId",),
    ("account",),
    ("app", "appId"),
    ("app", "appName"),
    ("userOpInfo", "type"),
    *(("userOpInfo", "signIn", name) for name in ("email", "ip", "location")),
    ("text",),
    *(("srcDevice", name) for name in DESCRIBED),
    *(("destDevice", name) for name in (*DESCRIBED, "key")),
    ("nonce",),
    ("requestedAt",),
    ("expiresAt",),
}


def whole_request(scene: Scene) -> TwoFactorRequest:
    laptop = make_device(scene.ada, nickname="Tablet", kind="tablet")
    return scene.ask(source_id=str(laptop.pk), text="Hello").request


def test_the_message_is_canonical_and_binds_exactly_this(scene: Scene) -> None:
    text = message_of(whole_request(scene))
    message = json.loads(text)
    assert set(leaves(message)) == BOUND
    assert canonical(message).decode() == text
    assert (message["domain"], message["decision"]) == ("device-portal/2fa-approval/v1", "approve")
    assert len(message["nonce"]) == 32


@pytest.mark.parametrize("path", sorted(BOUND), ids=".".join)
def test_a_signature_over_any_other_value_does_not_hold(path: tuple[str, ...], scene: Scene) -> None:
    request = whole_request(scene)
    message = json.loads(message_of(request))
    inner = message
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = f"{inner[path[-1]]}x"
    with nothing_changes(SIGNATURE_WRONG), pytest.raises(VerificationFailed) as refused:
        approve_request(actor=scene.owner, id=str(request.pk), signature=sign(canonical(message).decode()))
    assert (refused.value.code, refused.value.audited) == ("signature-wrong", True)
    request.refresh_from_db()
    assert request.wrong_signatures == 1
    assert approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request)).state == "approved"


@pytest.mark.parametrize("path", sorted(BOUND), ids=".".join)
def test_no_field_can_be_left_out(path: tuple[str, ...], scene: Scene) -> None:
    request = whole_request(scene)
    message = json.loads(message_of(request))
    inner = message
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    with pytest.raises(VerificationFailed):
        approve_request(actor=scene.owner, id=str(request.pk), signature=sign(canonical(message).decode()))


@pytest.mark.parametrize(
    "make",
    [
        lambda text: sign(text, "another"),
        lambda text: sign(text)[:-2],
        lambda text: sign(text) + "00",
        lambda text: "00" * 64,
        lambda text: raw(0, 1),
        lambda text: "zz" * 64,
        lambda text: "a",
        lambda text: "ab " * 43,
        lambda text: "ab" * 200,
        lambda text: "٣٤" * 64,
        lambda text: sign(text + " "),
        lambda text: sign(text.replace('"approve"', '"deny"')),
    ],
)
def test_other_signatures_are_counted_and_close_nothing(
    make: Callable[[str], str], scene: Scene, asked: TwoFactorRequest
) -> None:
    wrong = make(message_of(asked))
    for time in (1, 2):
        with nothing_changes(SIGNATURE_WRONG), pytest.raises(VerificationFailed):
            approve_request(actor=scene.owner, id=str(asked.pk), signature=wrong)
        asked.refresh_from_db()
        assert asked.wrong_signatures == time
