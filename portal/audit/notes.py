"""Checkpoints as signed text, in the manner of C2SP tlog-checkpoint and signed-note.

    device-trust-portal/audit
    1234
    <root, base64>
    previous <SHA-256 of the checkpoint before as it was written, hex; 64 zeros for the first>
    at 2024-12-01T14:30:00Z

    — device-trust-portal/audit <key hash and Ed25519 signature, base64>

The signature is made over the text up to and with the line feed before the empty line.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from portal.audit.merkle import HASH_BYTES
from portal.core import clock

ORIGIN = "device-trust-portal/audit"
NO_PREVIOUS = "0" * 64
_ED25519 = b"\x01"  # signed-note's number for this kind of signature
_KEY_HASH_BYTES = 4


class BadNote(ValueError):
    """The text is no checkpoint, or not one signed with this key."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says. root: 32 bytes. previous: hex. at: in whole seconds."""

    size: int
    root: bytes
    previous: str
    at: datetime


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The checkpoint as signed text."""
    text = _text(checkpoint)
    signature = base64.b64encode(key_hash(key.public_key()) + key.sign(text.encode())).decode()
    return f"{text}\n— {ORIGIN} {signature}\n"


def read(note: str) -> Checkpoint:
    """What a signed text says; its signature is not looked at. Raises BadNote for any other spelling of it."""
    lines = note.split("\n")
    try:
        origin, size, root, previous, at = lines[:5]
        checkpoint = Checkpoint(
            size=int(size),
            root=base64.b64decode(root, validate=True),
            previous=previous.removeprefix("previous "),
            at=clock.parse_rfc3339(at.removeprefix("at ")),
        )
    except ValueError:
        raise BadNote("not a checkpoint") from None
    if origin != ORIGIN or len(checkpoint.root) != HASH_BYTES or not note.startswith(f"{_text(checkpoint)}\n— "):
        raise BadNote("not a checkpoint of this log")
    return checkpoint


def check(note: str, key: Ed25519PublicKey) -> None:
    """Raises BadNote where the text was not signed with this key."""
    text, _, signature_line = note.partition("\n\n")
    encoded = signature_line.removeprefix(f"— {ORIGIN} ").removesuffix("\n")
    try:
        signature = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise BadNote("the signature is not good") from None
    if signature_line != f"— {ORIGIN} {encoded}\n" or signature[:_KEY_HASH_BYTES] != key_hash(key):
        raise BadNote("signed with a key that is not ours")
    try:
        key.verify(signature[_KEY_HASH_BYTES:], f"{text}\n".encode())
    except InvalidSignature:
        raise BadNote("the signature is not good") from None


def key_hash(key: Ed25519PublicKey) -> bytes:
    """The short name of a key in a signed note: four bytes of a hash over the name, the kind and the key."""
    data = ORIGIN.encode() + b"\n" + _ED25519 + key.public_bytes_raw()
    return hashlib.sha256(data).digest()[:_KEY_HASH_BYTES]


def digest(note: str) -> str:
    """The name by which the next checkpoint refers to this one: SHA-256 over the signed text, hex."""
    return hashlib.sha256(note.encode()).hexdigest()


def _text(checkpoint: Checkpoint) -> str:
    return (
        f"{ORIGIN}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"
        f"previous {checkpoint.previous}\nat {clock.rfc3339(checkpoint.at)}\n"
    )
