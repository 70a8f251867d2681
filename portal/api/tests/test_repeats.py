"""POSTs that are sent again, and callers that would rather have a body."""

import pytest
from django.test import RequestFactory

from devices.models import Device
from devices.tests.factories import make_customer, make_token
from portal.accounts.models import User
from portal.api.prefer import wants_representation
from portal.api.tests.doors import ASSECO, BOTH, Caller, nothing_written, refused_once
from portal.models import StoredAnswer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("phone")]
both_doors = pytest.mark.parametrize("path", BOTH)


# Idempotency-Key.

PHONE = {"external-device-identifier": "990000862471854", "nickname": "My Phone"}


def test_a_repeat_with_the_same_key_gets_the_first_answer_and_does_nothing(caller: Caller) -> None:
    first = caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    assert (first.status_code, "Idempotent-Replayed" in first) == (200, False)
    Device.objects.filter(nickname="My Phone").update(nickname="changed", nickname_key="changed")
    with nothing_written():
        again = caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    assert (again["Location"], again["Content-Type"]) == (first["Location"], "application/json")


def test_a_kept_answer_shows_no_external_identifier_in_the_database(caller: Caller) -> None:
    caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    [kept] = StoredAnswer.objects.values_list()
    assert PHONE["external-device-identifier"] not in repr(kept)


def test_an_empty_first_answer_stays_empty(caller: Caller, phone: Device) -> None:
    path = f"{ASSECO}/{phone.external_id}/block"
    assert caller.post(path, **{"Idempotency-Key": "k1"}).status_code == 204
    again = caller.post(path, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.content, "Content-Type" in again) == (204, b"", False)
    assert again["Idempotent-Replayed"] == "true"


def test_the_same_key_with_another_body_is_refused(caller: Caller) -> None:
    caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    with refused_once("idempotency-key-reused", who="Ada"):
        response = caller.post(ASSECO, {**PHONE, "nickname": "Other"}, **{"Idempotency-Key": "k1"})
    assert response.status_code == 422


def test_a_refusal_is_an_answer_too(caller: Caller) -> None:
    first = caller.post(ASSECO, {}, **{"Idempotency-Key": "k1"})
    with refused_once("refusal-replayed", who="Ada"):
        again = caller.post(ASSECO, {}, **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code, again.content) == (400, 400, first.content)
    assert again["Idempotent-Replayed"] == "true"


def test_a_failure_of_ours_gives_the_key_back(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("devices.operations.registration.register_device", lambda **kwargs: 1 / 0)
        assert caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"}).status_code == 500
    assert StoredAnswer.objects.count() == 0
    assert caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"}).status_code == 200


@both_doors
@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(path: str, key: str, caller: Caller) -> None:
    assert caller.post(path, PHONE, **{"Idempotency-Key": key}).status_code == 400
    assert Device.objects.count() == 1


def test_other_peoples_keys_are_other_keys(caller: Caller, ada: User) -> None:
    bea = make_customer(ada.bank, "Bea")
    caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    other = Caller(make_token(user=bea)).post(
        ASSECO, {"external-device-identifier": "990000862471855"}, **{"Idempotency-Key": "k1"}
    )
    assert other.status_code == 200
    assert "Idempotent-Replayed" not in other


@both_doors
def test_dead_tokens_get_no_replay(path: str, ada: User, phone: Device) -> None:
    body = PHONE if path == ASSECO else {"deviceId": str(phone.pk), "action": "DEACTIVATE", "reason": "Lost"}
    caller = Caller(make_token(user=ada, device=phone))
    assert caller.post(path, body, **{"Idempotency-Key": "k1"}).status_code == 200
    if path == ASSECO:
        caller.post(f"{ASSECO}/{phone.pk}/block")
    assert caller.post(path, body, **{"Idempotency-Key": "k1"}).status_code == 401


# Prefer.


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("return=representation", True),
        ("Return = Representation", True),
        ('return="representation"', True),
        ("respond-async, return=representation; foo=1", True),
        ("return=minimal", False),
        ("return=minimal, return=representation", False),
        ("representation", False),
        ("", False),
    ],
)
def test_a_preference_is_read(header: str, wanted: bool) -> None:
    assert wants_representation(RequestFactory().get("/", headers={"prefer": header})) is wanted


def test_who_prefers_a_body_gets_one_instead_of_204(caller: Caller, phone: Device) -> None:
    path = f"{ASSECO}/{phone.pk}/nickname"
    plain = caller.put(path, {"nickname": "One"})
    assert (plain.status_code, plain.content, "Content-Type" in plain) == (204, b"", False)
    full = caller.put(path, {"nickname": "Two"}, Prefer="return=representation")
    assert (full.status_code, full["Preference-Applied"]) == (200, "return=representation")
    assert full.json() == caller.get(f"{ASSECO}/{phone.pk}").json()
    assert full.json()["nickname"] == "Two"
