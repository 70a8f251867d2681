"""PINs as Argon2id digests with a pepper (RFC 9106): the pepper is Argon2's secret, the device its associated data.

    pin1$<pepper id>$<KiB>,<passes>,<lanes>$<salt>$<digest>        the last two in base64url

A million PINs are tried in a day whatever a hash costs. What keeps a stolen database shut is the pepper, which is not
in it; the cost of the hash is for the day the pepper is stolen too.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from portal.core import base64url
from portal.crypto.codes import same

VERSION: Final = "pin1"
SALT_BYTES: Final = 16  # RFC 9106 3.1: recommended for passwords
DIGEST_BYTES: Final = 32
_PEPPER_BYTES: Final = 32
# `\d` and `$` would let other scripts' digits and a line feed in.
_PIN: Final = re.compile("[0-9]{6}")
_COST: Final = re.compile("([1-9][0-9]{0,6}),([1-9][0-9]{0,2}),([1-9][0-9]?)")


class PinDigestBroken(ValueError):
    """The text is no digest of a PIN, or its pepper is not in the ring."""


@dataclass(frozen=True)
class Cost:
    """What one digest costs: memory in KiB, passes over it, lanes. RFC 9106 3.1: at least 8 KiB for each lane."""

    kib: int
    passes: int
    lanes: int

    def __str__(self) -> str:
        return f"{self.kib},{self.passes},{self.lanes}"


# OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane. The least memory of its equals, as many PINs are
# checked at once.
OWASP: Final = Cost(19 * 1024, 2, 1)


def is_pin(text: str) -> bool:
    """Whether this is six ASCII digits and nothing else."""
    return _PIN.fullmatch(text) is not None


def hash_pin(pin: str, device: bytes, peppers: Mapping[str, bytes], cost: Cost = OWASP) -> str:
    """The digest that is kept of a PIN. Each call makes another, with a salt of its own. Slow by design.

    device: the device's id; the digest fits no other. peppers: a ring of 32 bytes each by id, the first is the
    current one. Raises ValueError for an empty ring or a short pepper.
    """
    if not peppers:
        raise ValueError("PINs need a pepper")
    pepper_id = next(iter(peppers))
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _argon2(pin, device, _pepper(peppers, pepper_id), salt, cost)
    return "$".join([VERSION, pepper_id, str(cost), base64url.encode(salt), base64url.encode(digest)])


def check_pin(pin: str, kept: str, device: bytes, peppers: Mapping[str, bytes]) -> bool:
    """Whether this is the PIN that `kept` was made of, on this device. As slow as making one, right or wrong.

    Raises PinDigestBroken.
    """
    pepper_id, cost, salt, digest = _read(kept)
    return same(_argon2(pin, device, _pepper(peppers, pepper_id), salt, cost), digest)


def _argon2(pin: str, device: bytes, pepper: bytes, salt: bytes, cost: Cost) -> bytes:
    made = Argon2id(
        salt=salt,
        length=DIGEST_BYTES,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.kib,
        ad=device,
        secret=pepper,
    )
    return made.derive(pin.encode())


def _pepper(peppers: Mapping[str, bytes], pepper_id: str) -> bytes:
    pepper = peppers.get(pepper_id)
    if pepper is None:
        raise PinDigestBroken("the pepper of this PIN is not in the ring")
    if len(pepper) < _PEPPER_BYTES:
        raise ValueError(f"a pepper has at least {_PEPPER_BYTES} bytes")
    return pepper


def _read(kept: str) -> tuple[str, Cost, bytes, bytes]:
    version, _, rest = kept.partition("$")
    parts = rest.split("$")
    cost = _COST.fullmatch(parts[1]) if len(parts) == 4 else None
    if version != VERSION or cost is None:
        raise PinDigestBroken("not a digest of a PIN")
    try:
        salt, digest = base64url.decode(parts[2]), base64url.decode(parts[3])
    except ValueError:
        raise PinDigestBroken("not a digest of a PIN") from None
    if len(salt) != SALT_BYTES or len(digest) != DIGEST_BYTES:
        raise PinDigestBroken("not a digest of a PIN")
    return parts[0], Cost(*(int(number) for number in cost.groups())), salt, digest
