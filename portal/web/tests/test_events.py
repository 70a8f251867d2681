import json

import pytest

from portal.audit.models import AuditEvent
from portal.web.events import parts_of


def event(object_type: str, **after: str) -> AuditEvent:
    return AuditEvent(object_type=object_type, data=json.dumps({"after": after}))


@pytest.mark.parametrize(
    ("object_type", "state", "word"),
    [
        ("certificateauthority", "ACTIVE", "Active"),
        ("certificateauthority", "RETIRING", "Revokes only"),
        ("certificaterequest", "PENDING", "Waiting to be signed"),
        ("certificaterequest", "EXPIRED", "Expired"),
        ("certificate", "ACTIVE", "Valid"),
        ("certificate", "SIGNING", "Being signed"),
        ("rollover", "ACTIVE", "ACTIVE"),
    ],
)
def test_a_state_is_named_as_its_object_has_it(object_type: str, state: str, word: str) -> None:
    assert parts_of(event(object_type, state=state)).after == {"state": word}


def test_other_words_are_the_same_for_every_object() -> None:
    named = event("certificate", reason="key-compromise", rotation_state="AWAITING_DEVICE", model="ACTIVE")
    assert parts_of(named).after == {
        "reason": "Key compromise",
        "rotation_state": "Waiting for the device",
        "model": "ACTIVE",
    }
