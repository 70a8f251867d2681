"""Serial numbers of certificates."""

import secrets

BITS = 159  # RFC 5280 4.1.2.2: at most 20 octets, positive; CA/B BR 7.1: at least 64 random bits
OCTETS = 20


def new_serial() -> int:
    """A positive random number of at most 159 bits. Store it before it signs anything, so that none is used twice."""
    while True:
        serial = secrets.randbits(BITS)
        if serial >> 64:  # not in 2^95 draws; a short one would read as one that was counted
            return serial


def as_hex(serial: int) -> str:
    """Upper-case hex in pairs with colons between them, as ``openssl`` and people write it: ``4F:0A:…``."""
    return serial.to_bytes(max(1, (serial.bit_length() + 7) // 8)).hex(":").upper()
