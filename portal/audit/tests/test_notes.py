from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal.audit import notes
from portal.audit.notes import BadNote, Checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
CHECKPOINT = Checkpoint(1234, b"\x07" * 32, "ab" * 32, datetime(2024, 12, 1, 14, 30, tzinfo=UTC))
NOTE = notes.sign(CHECKPOINT, KEY)


def test_the_text_has_one_fact_a_line() -> None:
    lines = NOTE.split("\n")
    assert lines[:6] == [
        "device-trust-portal/audit",
        "1234",
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        f"previous {'ab' * 32}",
        "at 2024-12-01T14:30:00Z",
        "",
    ]
    assert lines[6].startswith("— device-trust-portal/audit ")
    assert lines[7:] == [""]


def test_it_reads_back_and_the_signature_is_good() -> None:
    notes.check(NOTE, KEY.public_key())
    assert notes.read(NOTE) == CHECKPOINT


def test_another_key_is_not_ours() -> None:
    with pytest.raises(BadNote, match="not ours"):
        notes.check(NOTE, STRANGER.public_key())


@pytest.mark.parametrize(
    ("old", "new"),
    [("1234", "1235"), ("BwcH", "BwcI"), ("abab", "abac"), ("14:30:00Z", "14:30:01Z"), ("/audit\n", "/audi\n")],
)
def test_a_changed_line_breaks_the_signature(old: str, new: str) -> None:
    with pytest.raises(BadNote):
        notes.check(NOTE.replace(old, new, 1), KEY.public_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        NOTE.replace("1234", "01234", 1),
        NOTE.replace("1234", " 1234", 1),
        NOTE.replace("1234", "١٢٣٤", 1),
        NOTE.replace("at 2024-12-01T14:30:00Z", "at 2024-12-01T15:30:00+01:00"),
        NOTE.replace("at 2024-12-01T14:30:00Z", "at 2024-12-01"),
        NOTE.replace("device-trust-portal", "another", 1),
        NOTE.replace("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", "Bwc="),
        "\n" + NOTE,
    ],
)
def test_only_one_spelling_is_read(text: str) -> None:
    with pytest.raises(BadNote):
        notes.read(text)


@pytest.mark.parametrize("text", [NOTE + "\n", NOTE[:-1], NOTE + "— another AAAA\n", NOTE.replace("\n\n", "\n")])
def test_nothing_may_stand_around_the_signature(text: str) -> None:
    with pytest.raises(BadNote):
        notes.check(text, KEY.public_key())
