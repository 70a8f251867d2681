"""Checks a package of evidence about an approval, with nothing of the portal's: no database, no settings.

    python docs/check_evidence.py --log-key log.pem evidence.json

Needs Python 3.12 and the package `cryptography`. `--log-key` names the public key of the bank's audit log, got in
another way than the package: without it the package is only shown to agree with itself. `--split FOLDER` writes the
parts as files, for checks with openssl. Exit code: 0 a signed approval, and all of it holds; 2 all of it holds, but
nothing was signed, or it was denied; 1 it does not hold; 3 a file cannot be read or written.
"""

import argparse
import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

FORMAT: Final = "device-portal/2fa-evidence/v1"
DOMAIN: Final = "device-portal/2fa-approval/v1"
EVENT: Final = "audit-event/1"
ORIGIN: Final = "device-trust-portal/audit"
FIELDS: Final = {"format", "message", "salt", "signature", "txId", "publicKey", "audit"}
AUDIT: Final = {"leaf", "position", "path", "checkpoint", "publicKey"}
# The columns of an event in the order in which a leaf has them, after the version.
COLUMNS: Final = (
    "id", "bank", "device", "at", "event", "outcome", "code", "actor_kind", "actor", "actor_label", "channel",
    "object_type", "object", "object_label", "reason", "ip", "request_id", "data", "mac_key",
)  # fmt: skip
# By proof, whether the message is bound with a salt. A denial's says nothing of it, its digest does.
SALTED: Final = {"signature": False, "transaction-id": True}
MAC: Final = 64  # hex digits at a leaf's end

type Key = ec.EllipticCurvePublicKey | Ed25519PublicKey


class Bad(Exception):
    """What does not hold, in a sentence."""


@dataclass(frozen=True)
class Checked:
    """What a package proves. signed: the device's key approved exactly this message."""

    approved: bool
    signed: bool
    message: str
    event: dict[str, Any]
    log_key: str

    @property
    def said(self) -> str:
        word = "APPROVED" if self.approved else "DENIED"
        return f"{word} at {self.event['at']}, {'signed by the device' if self.signed else 'NOT SIGNED'}"


def check(text: str, log_key: str = "") -> Checked:
    """Check a package. log_key: PEM of the audit log's public key, "" to take the package's word. Raises Bad."""
    try:
        return _checked(_read(text), log_key)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Bad("something is missing, or of another kind") from None


def _checked(package: dict[str, Any], log_key: str) -> Checked:
    audit = package["audit"]
    if log_key and _key(log_key) != _key(audit["publicKey"]):
        raise Bad("the package is signed by another log's key")
    event = _event(audit)
    said = event["data"].get("details", {})
    _require(
        bool(package["salt"]) == SALTED.get(said["proof"], bool(package["salt"])), "no such proof with such a salt"
    )
    _require(said.get("message") == _commitment(package["salt"], package["message"]), "the log knows another message")
    _require(said.get("tx_id", "") == package["txId"], "the log knows another transaction id")
    signed = said.get("signed") is True
    if signed:
        _check_signature(package, event, said)
    else:
        _require(not package["signature"] and not package["publicKey"], "the log knows of no signature")
    return Checked(event["event"] == "two-factor.approved", signed, package["message"], event, audit["publicKey"])


def _read(text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _require(len(dict(pairs)) == len(pairs), "a name comes twice")
        return dict(pairs)

    try:
        package: dict[str, Any] = json.loads(text, object_pairs_hook=unique)
    except ValueError:
        raise Bad("the package is no JSON") from None
    _require(isinstance(package, dict) and set(package) == FIELDS, "the package has other fields")
    _require(package["format"] == FORMAT, "this is another format")
    audit = package["audit"]
    _require(isinstance(audit, dict) and set(audit) == AUDIT, "the audit part has other fields")
    texts = [*(package[name] for name in FIELDS - {"audit"}), *(audit[name] for name in AUDIT - {"position", "path"})]
    _require(all(isinstance(one, str) for one in texts), "a field is no text")
    _require(type(audit["position"]) is int and isinstance(audit["path"], list), "the place in the log is no place")
    return package


def _event(audit: dict[str, Any]) -> dict[str, Any]:
    """The event of the answer, once it is shown to stand in the log."""
    size, root = _checkpoint(audit["checkpoint"], _key(audit["publicKey"]))
    leaf = hashlib.sha256(b"\x00" + audit["leaf"].encode()).digest()
    _require(_root(leaf, audit["position"], size, [_hex(part) for part in audit["path"]]) == root,
             "the event does not stand in the log")  # fmt: skip
    try:
        version, *columns = json.loads(audit["leaf"][:-MAC])
        event = dict(zip(COLUMNS, columns, strict=True))
        event["data"] = json.loads(event["data"])
    except (ValueError, TypeError):
        raise Bad("the leaf is no event") from None
    _require(version == EVENT and event["outcome"] == "done", "the leaf is another kind of event")
    _require(event["event"] in ("two-factor.approved", "two-factor.denied"), "the event is no answer")
    return event


def _checkpoint(note: str, key: Key) -> tuple[int, bytes]:
    """The size and root that the log signed."""
    text, _, last = note.partition("\n\n")
    signature = _base64(last.removeprefix(f"— {ORIGIN} ").removesuffix("\n"))
    _require(isinstance(key, Ed25519PublicKey), "the log's key is of another kind")
    assert isinstance(key, Ed25519PublicKey)  # noqa: S101  for the type checker
    name = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + key.public_bytes_raw()).digest()[:4]
    spelled = f"— {ORIGIN} {base64.b64encode(signature).decode()}\n"
    _require(signature[:4] == name and last == spelled, "the checkpoint is signed by another key")
    try:
        key.verify(signature[4:], f"{text}\n".encode())
        origin, size, root, *_ = text.split("\n")
        _require(origin == ORIGIN, "the checkpoint is of another log")
        return int(size), _base64(root)
    except (InvalidSignature, ValueError):
        raise Bad("the checkpoint's signature does not hold") from None


def _root(node: bytes, position: int, size: int, path: Sequence[bytes]) -> bytes:
    """Where a leaf's path leads (RFC 9162 2.1.3.2)."""
    last = size - 1
    _require(0 <= position <= last, "the place is outside the log")
    for sibling in path:
        _require(last > 0, "the path is too long")
        if position & 1 or position == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        position, last = position >> 1, last >> 1
    _require(last == 0, "the path is too short")
    return node


def _check_signature(package: dict[str, Any], event: dict[str, Any], said: dict[str, Any]) -> None:
    key, signature = _key(package["publicKey"]), _hex(package["signature"])
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = hashlib.sha256(spki).hexdigest()
    _require(said.get("fingerprint") == fingerprint, "the log knows another key")
    _require(said.get("signature") == hashlib.sha256(signature).hexdigest(), "the log knows another signature")
    try:
        _verify(key, signature, package["message"].encode())
    except (InvalidSignature, ValueError):
        raise Bad("the signature does not hold") from None
    _check_message(json.loads(package["message"]), event, said, fingerprint)


def _check_message(message: dict[str, Any], event: dict[str, Any], said: dict[str, Any], fingerprint: str) -> None:
    """That what was signed says what the log says."""
    _require(message["domain"] == DOMAIN and message["decision"] == "approve", "the message is no approval")
    _require(event["event"] == "two-factor.approved", "the log knows of no approval")
    _require(message["id"] == event["object"] and message["requestId"] == said["request"], "of another request")
    destination = message["destDevice"]
    _require(destination["key"] == fingerprint, "the message is for another key")
    _require(destination["id"].replace("-", "") == event["device"], "the message is for another device")
    in_time = datetime.fromisoformat(event["at"]) <= datetime.fromisoformat(message["expiresAt"])
    _require(in_time, "it was answered too late")


def _verify(key: Key, signature: bytes, message: bytes) -> None:
    if isinstance(key, Ed25519PublicKey):
        key.verify(signature, message)
    elif not any(_holds(key, der, message) for der in _readings(signature)):
        raise InvalidSignature


def _readings(signature: bytes) -> list[bytes]:
    """What DER the bytes can mean: 64 of them are r‖s, but a short DER form has as many."""
    return [_der(signature), signature] if len(signature) == 64 else [signature]


def _holds(key: ec.EllipticCurvePublicKey, der: bytes, message: bytes) -> bool:
    try:
        key.verify(der, message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


def _key(pem: str) -> Key:
    """A public key in the one spelling that openssl writes."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Bad("a public key cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | Ed25519PublicKey):
        raise Bad("a public key is of another kind")
    spelled = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    _require(spelled == pem, "a public key is spelled in another way")
    return key


def _hex(text: object) -> bytes:
    try:
        found = bytes.fromhex(str(text))
    except ValueError:
        raise Bad("a field is no hex") from None
    _require(found.hex() == text, "hex is spelled in another way")
    return found


def _base64(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Bad("a field is no base64") from None
    _require(base64.b64encode(found).decode() == text, "base64 is spelled in another way")
    return found


def _commitment(salt: str, message: str) -> str:
    """What the log has of a message: with a salt both are hashed first, so that nothing moves between them."""
    if not salt:
        return _digest(message)
    return hashlib.sha256(bytes.fromhex(_digest(salt) + _digest(message))).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise Bad(problem)


def split(package: dict[str, Any], folder: Path) -> None:
    """The parts as files, as openssl takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    audit = package["audit"]
    text, _, last = audit["checkpoint"].partition("\n\n")
    signature = bytes.fromhex(package["signature"])
    is_raw = len(signature) == 64 and isinstance(_key(package["publicKey"]), ec.EllipticCurvePublicKey)
    parts = {
        "salt": package["salt"].encode(),
        "message": package["message"].encode(),
        "key.pem": package["publicKey"].encode(),
        "signature": _der(signature) if is_raw else signature,
        "signature.sent": signature,
        "leaf": audit["leaf"].encode(),
        "log.pem": audit["publicKey"].encode(),
        "checkpoint": f"{text}\n".encode(),
        "checkpoint.signature": base64.b64decode(last.split(" ")[-1])[4:],
    }
    for name, data in parts.items():
        (folder / name).write_bytes(data)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Bad(f"{file} is no text") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", type=Path)
    parser.add_argument("--log-key", type=Path, help="PEM of the audit log's public key")
    parser.add_argument("--split", type=Path, help="a folder for the parts")
    wanted = parser.parse_args(arguments)
    try:
        text = _text(wanted.package)
        checked = check(text, _text(wanted.log_key) if wanted.log_key else "")
        if wanted.split:
            split(json.loads(text), wanted.split)
    except Bad as problem:
        sys.stderr.write(f"FAILED: {problem}.\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"NOT CHECKED: {problem.filename} cannot be read or written.\n")
        return 3
    sys.stdout.write(f"OK: {checked.said}.\n{checked.message}\n")
    if not wanted.log_key:
        fingerprint = _digest(checked.log_key)
        sys.stdout.write(f"The log's key was not checked. SHA-256 of its PEM: {fingerprint}\n")
    return 0 if checked.signed and checked.approved else 2


if __name__ == "__main__":
    sys.exit(main())
