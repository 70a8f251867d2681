"""Serial numbers: random, positive, short enough, and spelled as people spell them."""

from pki.x509.serials import as_hex, new_serial


def test_they_are_positive_long_and_never_the_same() -> None:
    serials = {new_serial() for _ in range(20_000)}
    assert len(serials) == 20_000
    assert all(
        serial.bit_length() > 64 and len(serial.to_bytes(20)) == 20 and serial >> 159 == 0 for serial in serials
    )
    for bit in range(159):
        assert 9000 < sum(serial >> bit & 1 for serial in serials) < 11000


def test_they_are_written_in_pairs() -> None:
    assert as_hex(0x0A1B2C) == "0A:1B:2C"
    serial = new_serial()
    assert int(as_hex(serial).replace(":", ""), 16) == serial
