"""ID tokens that are not good: counted by address and by customer, and never in the way of a good one."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from portal.api.hyphen.tests.signing_in import Scene
from portal.audit.models import AuditEvent
from portal.breaker import Breaker
from portal.core import clock
from twofa.operations import identifying
from twofa.tests.asking import make_phone
from twofa.tests.identities import signing_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Any:
    with time_machine.travel(clock.now() + timedelta(hours=5), tick=False):  # nobody else has called in that minute
        found = Scene()
        make_phone(found.ada, "ada")
        yield found


def tried(scene: Scene, count: int, **claims: Any) -> list[int]:
    request = {"method": "bank-id", "token": scene.token(**claims)}
    return [scene.challenge(request=request).status_code for _ in range(count)]


def test_expired_tokens_about_a_customer_are_counted(scene: Scene) -> None:
    assert tried(scene, 12, exp=1) == [403] * 10 + [429] * 2
    refusal = scene.challenge(request={"method": "bank-id", "token": scene.token(exp=1)})
    assert (refusal.json()["code"], refusal["Retry-After"].isdigit()) == ("rate-limited", True)
    codes = AuditEvent.objects.filter(event="device-sign-in.refused").values_list("code", flat=True)
    assert Counter(codes) == {"token-expired": 10, "rate-limited": 1}


def test_forged_tokens_from_an_address_are_counted_whomever_they_name(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identifying, "WRONG_BY_ADDRESS", 3)
    forged = signing_key("k1", "EdDSA")
    found = [tried(scene, 1, key=forged, header={"alg": "EdDSA"}, sub=f"somebody-{number}")[0] for number in range(5)]
    assert found == [403, 403, 403, 429, 429]


def test_a_good_token_is_taken_however_many_others_were_tried(scene: Scene) -> None:
    tried(scene, 12, exp=1)
    assert scene.challenge().status_code == 200


def test_the_next_minute_begins_anew(scene: Scene) -> None:
    assert tried(scene, 11, exp=1)[-1] == 429
    with time_machine.travel(clock.now() + timedelta(minutes=1), tick=False):
        assert tried(scene, 1, exp=1) == [403]


def test_where_nobody_can_count_a_wrong_token_is_not_answered_and_a_good_one_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*args: object, **kwargs: object) -> None:
        raise OSError

    monkeypatch.setattr("portal.ratelimit._add_one", down)
    monkeypatch.setattr("portal.ratelimit.breaker", Breaker(0.0))
    assert tried(scene, 1, exp=1) == [503]
    assert AuditEvent.objects.get(event="device-sign-in.refused").code == "token-expired"
    assert scene.challenge().status_code == 200
