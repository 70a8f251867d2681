"""Names on the wire."""

import pytest

from portal.api.spelling import Spelling, camel, kebab


@pytest.mark.parametrize(
    ("ours", "in_kebab", "in_camel"),
    [
        ("status", "status", "status"),
        ("device_id", "device-id", "deviceId"),
        ("last_security_check", "last-security-check", "lastSecurityCheck"),
    ],
)
def test_a_name_follows_the_rule(ours: str, in_kebab: str, in_camel: str) -> None:
    assert (kebab(ours), camel(ours)) == (in_kebab, in_camel)


def test_an_irregular_name_is_spelled_by_hand_also_inside_a_path() -> None:
    spelling = Spelling(camel, {"subject_dn": "subjectDN"})
    assert spelling.name("subject_dn") == "subjectDN"
    assert spelling.name("subject_dn.common_name") == "subjectDN.commonName"


def test_a_body_is_spelled_to_its_last_key_and_keeps_its_order() -> None:
    spelling = Spelling(kebab)
    body = {"page_size": 1, "devices": ({"device_id": "a_b", "push_id": None},)}
    assert list(spelling.body(body).items()) == [  # type: ignore[attr-defined]
        ("page-size", 1),
        ("devices", [{"device-id": "a_b", "push-id": None}]),
    ]
