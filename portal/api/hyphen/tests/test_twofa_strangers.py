"""To strangers a request is as unknown: of the same bank or another, customers and servers."""

from typing import Any

import pytest

from devices.tests.factories import make_application, make_bank, make_customer, make_token
from portal.accounts.models import User
from portal.api.hyphen.tests.test_twofa import TWO_FACTOR, Scene, path_of, signature_of
from portal.api.tests.doors import Caller, refused_once
from portal.core import ids
from twofa.models import Answer
from twofa.tests.asking import make_phone, rows

pytestmark = pytest.mark.django_db

UNKNOWN = f"{TWO_FACTOR}/{ids.new_id()}"


@pytest.fixture
def scene(ada: User, settings: Any) -> Scene:
    return Scene(ada, settings)


def calls(path: str, asked: dict[str, Any], scene: Scene) -> dict[str, tuple[str, str, Any]]:
    """Every call that names a request: method, path and a body that would do."""
    return {
        "look": ("GET", path, None),
        "ask again": ("PUT", path, {"destDeviceId": str(scene.phone.pk)}),
        "deny": ("DELETE", path, None),
        "deny and alert": ("DELETE", f"{path}?notMe=true", None),
        "approve": ("POST", f"{path}/approve", {"signature": signature_of(asked)}),
        "evidence": ("GET", f"{path}/evidence", None),
    }


PHONES, SERVERS = ("look", "ask again", "deny", "deny and alert", "approve"), ("look", "ask again", "evidence")


def strangers(scene: Scene) -> list[tuple[str, Caller, tuple[str, ...]]]:
    """Who knocks, and with which calls their tokens open the door."""
    bank, other = scene.ada.bank, make_bank()
    cem, dan = make_customer(bank, "Cem"), make_customer(other, "Dan")
    return [
        ("Cem", scene.bound(make_phone(cem, "cem")), PHONES),
        ("Dan", scene.bound(make_phone(dan, "dan")), PHONES),
        ("Cem", Caller(make_token(user=cem)), ("look", "ask again")),
        ("Ada", scene.bound(make_phone(scene.ada, "third")), PHONES),
        ("twin", Caller(make_token(application=make_application(bank, kind="bank", name="twin"))), SERVERS),
        ("far", Caller(make_token(application=make_application(other, kind="bank", name="far"))), SERVERS),
    ]


def test_a_strangers_request_is_as_unknown(scene: Scene) -> None:
    asked = scene.ask()
    known, unknown = calls(path_of(asked), asked, scene), calls(UNKNOWN, asked, scene)
    before = rows()
    for who, caller, names in strangers(scene):
        for name in names:
            with refused_once("not-found", who=who):
                answer = caller.send(*known[name])
            like = caller.send(*unknown[name])
            assert (answer.status_code, answer.content) == (404, like.content), (who, name)
    assert (rows(), Answer.objects.count()) == (before, 0)


def test_nobody_lists_what_others_are_asked(scene: Scene) -> None:
    scene.ask()
    for who, caller, names in strangers(scene):
        if names is PHONES:
            assert caller.get(TWO_FACTOR).json() == {"twoFactorAuths": []}, who
        else:
            assert caller.get(TWO_FACTOR).status_code == 403, who
