"""Serial numbers: random, positive, short enough, and spelled as people spell them."""

import pytest

from pki.x509.serials import as_hex, from_hex, new_serial


def test_they_are_positive_long_and_never_the_same() -> None:
    serials = {new_serial() for _ in range(20_000)}
    assert len(serials) == 20_000
    assert all(
        serial.bit_length() > 64 and len(serial.to_bytes(20)) == 20 and serial >> 159 == 0 for serial in serials
    )
    for bit in range(159):
        assert 9000 < sum(serial >> bit & 1 for serial in serials) < 11000


def test_they_are_written_in_pairs_and_read_again() -> None:
    assert as_hex(0x0A1B2C) == "0A:1B:2C"
    assert from_hex("0A:1B:2C") == from_hex("0a1b2c") == from_hex("0A 1B 2C") == 0x0A1B2C
    serial = new_serial()
    assert from_hex(as_hex(serial)) == serial


@pytest.mark.parametrize("text", ["", ":", "xyz", "-1", "0x12", "1" * 41, "１"])
def test_other_text_is_no_serial(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        from_hex(text)
