"""Keys in every spelling that applications have been seen to send."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.models import Device, DeviceKey
from portal.core import clock
from portal.crypto.keys import parse_public_key


def enrolled(device: Device, spelling: str) -> DeviceKey:
    """The device's proved key, as its application registered it."""
    key = parse_public_key(spelling)
    now = clock.now()
    return DeviceKey.objects.create(
        device=device,
        algorithm=key.algorithm,
        public_key=key.canonical,
        spelling=key.spelling,
        fingerprint=key.fingerprint,
        registered_at=now,
        proved_at=now,
    )


def ed25519_key() -> str:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()


@cache
def coordinates(zeros: int) -> tuple[int, int]:
    """X and Y of a point whose Y begins with so many zero digits, X with none."""
    for secret in range(1, 100_000):
        numbers = ec.derive_private_key(secret, ec.SECP256R1()).public_key().public_numbers()
        x, y = f"{numbers.x:064x}", f"{numbers.y:064x}"
        if x[0] != "0" and len(y) - len(y.lstrip("0")) == zeros:
            return numbers.x, numbers.y
    raise AssertionError("there is such a point among the first hundred thousand")


def spellings(x: int, y: int) -> dict[str, str]:
    """One point in each form; `short` leaves the leading zeros of both coordinates out."""
    return {
        "canonical": f"{x:064x}{y:064x}",
        "upper case": f"{x:064X}{y:064X}",
        "uncompressed": f"04{x:064x}{y:064x}",
        "compressed": f"{2 + y % 2:02x}{x:064x}",
        "short": f"{x:x}{y:x}",
    }
