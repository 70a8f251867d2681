"""PINs and codes tried by many at one moment, in real threads."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from devices.models import Device, DevicePin, PinReset
from devices.operations import pin_digests
from devices.states import ResetState
from devices.tests.factories import make_application, make_device, make_pin, make_token
from devices.tests.pinning import NEXT, NUMBER, PIN, WRONG, events, last_code, make_owner, make_sessions, pin_is
from portal import hashing
from portal.accounts.models import AccessToken
from portal.crypto.pins import check_pin
from portal.hashing import HashingPool
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 100
type Post = Callable[..., tuple[int, str]]


@pytest.fixture
def phone() -> Device:
    return make_device(make_owner())


@pytest.fixture
def post(phone: Device) -> Post:
    """Ask about the phone as its owner. Returns the status and the rule, or ""."""
    token = make_token(user=phone.owner, device=phone, application=make_application(phone.bank))

    def send(path: str, **body: Any) -> tuple[int, str]:
        answer = Client().post(
            f"/v1/device/{path}", body, content_type="application/json", headers={"authorization": f"Bearer {token}"}
        )
        return answer.status_code, answer.json().get("code", "")

    return send


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool with a place for everybody, so that nothing but the counter holds anybody back."""
    monkeypatch.setattr(hashing, "_pool", HashingPool(threads=8, places=2 * MANY))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every PIN that reached the hash."""
    reached: list[str] = []

    def counting(pin: str, *arguments: Any) -> bool:
        reached.append(pin)
        return check_pin(pin, *arguments)

    monkeypatch.setattr(pin_digests, "check_pin", counting)
    return reached


def change(post: Post, device: Device, current: str) -> tuple[int, str]:
    return post("pin/change", deviceId=device.public_id, currentPin=current, newPin=NEXT, confirmNewPin=NEXT)


@pytest.mark.usefixtures("wide")
def test_of_a_hundred_wrong_pins_at_once_five_reach_the_hash_and_the_right_one_is_refused(
    phone: Device, post: Post, hashed: list[str]
) -> None:
    make_pin(phone)
    outcomes = race(MANY, lambda number: change(post, phone, f"{830_174 + number}"))
    assert Counter(outcomes) == {(403, "pin-wrong"): 5, (423, "pin-locked"): 95}
    assert len(hashed) == 5
    assert change(post, phone, PIN) == (423, "pin-locked")
    assert len(hashed) == 5
    pin = DevicePin.objects.get()
    assert (pin.failures, pin.locked_at is not None) == (5, True)
    assert pin_is(phone, PIN)
    assert Counter(events()) == {
        ("pin.refused", "refused", "pin-wrong"): 5,
        ("pin.locked", "done", ""): 1,
        ("request.refused", "refused", "pin-locked"): 96,
    }


def test_the_same_through_the_servers_own_pool(phone: Device, post: Post, hashed: list[str]) -> None:
    make_pin(phone)
    outcomes = Counter(race(MANY, lambda _: change(post, phone, WRONG)))
    assert set(outcomes) <= {(403, "pin-wrong"), (423, "pin-locked"), (429, "pin-checks-busy")}
    while change(post, phone, WRONG) != (423, "pin-locked"):  # the few tries that nobody found a place for
        assert len(hashed) <= 5
    assert len(hashed) == DevicePin.objects.get().failures == 5
    assert change(post, phone, PIN) == (423, "pin-locked")


@pytest.mark.usefixtures("wide")
def test_of_many_changes_at_once_one_is_made(phone: Device, post: Post) -> None:
    make_pin(phone)
    make_sessions(phone, 2)
    outcomes = Counter(race(16, lambda _: change(post, phone, PIN)))
    assert outcomes[200, ""] == 1
    assert set(outcomes) <= {
        (200, ""),
        (409, "pin-changed-meanwhile"),
        (403, "pin-wrong"),
        (423, "pin-locked"),
        (422, "weak-pin"),
    }
    assert pin_is(phone, NEXT)
    assert AccessToken.objects.live().filter(device=phone).count() == 1
    assert events().count(("pin.changed", "done", "")) == 1


@pytest.mark.usefixtures("wide")
def test_of_many_first_pins_at_once_one_is_set(phone: Device, post: Post) -> None:
    outcomes = race(16, lambda _: post("pin", deviceId=phone.public_id, pin=PIN, confirmPin=PIN))
    assert Counter(outcomes) == {(200, ""): 1, (409, "pin-exists"): 15}
    assert events().count(("pin.created", "done", "")) == DevicePin.objects.count() == 1


def asked(post: Post, device: Device) -> tuple[PinReset, str]:
    known = {"phoneNumber": NUMBER}
    assert post("pin/reset", deviceId=device.public_id, resetMethod="SMS", verificationData=known) == (202, "")
    return PinReset.objects.get(state=ResetState.OPEN), last_code()


def confirm(post: Post, reset: PinReset, code: str) -> tuple[int, str]:
    return post("pin/confirm", resetId=reset.public_id, verificationCode=code, newPin=NEXT, confirmNewPin=NEXT)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("round_", range(3))
def test_of_twenty_confirmations_at_once_one_sets_the_pin(round_: int, phone: Device, post: Post) -> None:
    make_pin(phone, failures=5)
    make_sessions(phone, 2)
    reset, code = asked(post, phone)
    assert Counter(race(20, lambda _: confirm(post, reset, code))) == {(200, ""): 1, (404, "not-found"): 19}
    assert (pin_is(phone, NEXT), DevicePin.objects.get().failures) == (True, 0)
    assert AccessToken.objects.live().filter(device=phone).count() == 1
    assert events().count(("pin-reset.confirmed", "done", "")) == 1


@pytest.mark.usefixtures("wide")
def test_of_many_wrong_codes_at_once_five_are_looked_at(phone: Device, post: Post) -> None:
    make_pin(phone)
    reset, code = asked(post, phone)
    wrong = "00000000" if code != "00000000" else "00000001"
    outcomes = Counter(race(30, lambda _: confirm(post, reset, wrong)))
    assert outcomes == {(403, "reset-code-wrong"): 5, (404, "not-found"): 25}
    assert confirm(post, reset, code) == (404, "not-found")
    reset.refresh_from_db()
    assert (reset.state, reset.tries) == (ResetState.VOID, 5)
    assert pin_is(phone, PIN)


def test_of_many_resets_at_once_one_stays_open(phone: Device, post: Post) -> None:
    make_pin(phone)
    known = {"phoneNumber": NUMBER}
    outcomes = race(
        12, lambda _: post("pin/reset", deviceId=phone.public_id, resetMethod="SMS", verificationData=known)
    )
    assert Counter(outcomes) == {(202, ""): 5, (429, "too-many-resets"): 7}
    assert Counter(PinReset.objects.values_list("state", flat=True)) == {ResetState.OPEN: 1, ResetState.VOID: 4}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("round_", range(5))
def test_a_change_and_a_confirmation_at_once_leave_one_pin_and_no_open_reset(
    round_: int, phone: Device, post: Post
) -> None:
    make_pin(phone)
    reset, code = asked(post, phone)
    outcomes = set(race(2, lambda number: confirm(post, reset, code) if number else change(post, phone, PIN)))
    assert (200, "") in outcomes
    assert outcomes <= {
        (200, ""),
        (404, "not-found"),
        (409, "pin-changed-meanwhile"),
        (403, "pin-wrong"),
        (422, "weak-pin"),
    }
    assert pin_is(phone, NEXT)
    assert not PinReset.objects.open().exists()
