"""Signed JSON Web Tokens of others (RFC 7519), checked as RFC 8725 says: our list of algorithms, never the token's.

Only signatures with public keys; a key is used for the one kind of algorithm that its type allows.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto import jwk, jws

from portal.core import base64url
from portal.core import json as strict
from portal.crypto import edwards

LONGEST: Final = 8 * 1024  # characters of a token
LONGEST_SET: Final = 64 * 1024  # bytes of a key set
MOST_KEYS: Final = 32
SHORTEST_RSA: Final = 2048  # bits, NIST SP 800-131A rev. 2

# Which type of key each algorithm takes (RFC 7518 3.1, RFC 8037 3.1).
TYPES: Final[Mapping[str, str]] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}


class BadToken(ValueError):
    """The token or key set is refused. ``code`` says why in kebab case; nothing of the token is quoted."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class UnknownKey(BadToken):
    """The token names a key that is not in the set: perhaps it came after the set did."""

    def __init__(self) -> None:
        super().__init__("token-key-unknown")


type Keys = list[dict[str, Any]]


def read_keys(text: str) -> Keys:
    """The public keys of a JWK set (RFC 7517 5) that can check a signature; others are left out, private ones too.

    Raises BadToken `key-set-unreadable` for what is no set, or has no such key.
    """
    try:
        found = strict.loads(text.encode(), max_bytes=LONGEST_SET)
    except ValueError:
        raise BadToken("key-set-unreadable") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    keys = [key for key in listed[:MOST_KEYS] if _is_usable(key)] if isinstance(listed, list) else []
    if not keys:
        raise BadToken("key-set-unreadable")
    return keys


def header_of(token: str) -> dict[str, Any]:
    """The protected header, read and not believed. Raises BadToken."""
    if len(token) > LONGEST or not token.isascii() or token.count(".") != 2:
        raise BadToken("token-unreadable")
    header = _object(token.partition(".")[0])
    if "crit" in header or "b64" in header:  # RFC 7515 4.1.11: what has to be understood, and is not
        raise BadToken("token-critical-header")
    return header


def claimed_subject(token: str) -> str:
    """Whom a token claims to speak of, checked by nothing; "" where it says nothing that can be read."""
    try:
        header_of(token)
        subject = _object(token.split(".")[1]).get("sub")
    except BadToken:
        return ""
    return subject if isinstance(subject, str) else ""


def claims_of(token: str, keys: Keys, algorithms: Collection[str]) -> dict[str, Any]:
    """The claims of a token that one of the keys has signed by one of the algorithms (of `TYPES`).

    Raises BadToken (`token-unreadable`, `token-critical-header`, `token-algorithm`, `token-signature`), UnknownKey.
    """
    header = header_of(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in TYPES:
        raise BadToken("token-algorithm")
    verify(token, _chosen(keys, header.get("kid"), algorithm), algorithm)
    return _object(token.split(".")[1])


def verify(token: str, key: Mapping[str, Any], algorithm: str) -> None:
    """Raises BadToken `token-signature` unless this very key signed the token by this very algorithm."""
    try:
        signed = jws.JWS()
        signed.allowed_algs = [algorithm]
        signed.deserialize(token)
        signed.verify(jwk.JWK(**_plain(key)), alg=algorithm)
    except Exception:  # noqa: BLE001  the library has no common class for its errors
        raise BadToken("token-signature") from None


def thumbprint(key: Mapping[str, Any]) -> str:
    """A key's name by RFC 7638, SHA-256 in base64url. Raises BadToken."""
    try:
        return str(jwk.JWK(**_plain(key)).thumbprint())
    except Exception:  # noqa: BLE001  as above
        raise BadToken("key-unreadable") from None


def jwk_of(key: object) -> dict[str, Any]:
    """A device's public key (P-256 or Ed25519) as a JWK."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        numbers = key.public_numbers()
        x, y = (base64url.encode(number.to_bytes(32)) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes_raw())}
    raise BadToken("key-unreadable")


def is_sound(key: object) -> bool:
    """Whether this is a JWK of a public key that we take: RSA of 2048 bits, P-256, or Ed25519 of full order."""
    if not isinstance(key, dict) or "d" in key or key.get("kty") not in TYPES.values():
        return False
    try:
        public = jwk.JWK(**_plain(key)).get_op_key("verify")
    except Exception:  # noqa: BLE001  as above
        return False
    if isinstance(public, rsa.RSAPublicKey):
        return public.key_size >= SHORTEST_RSA
    if isinstance(public, ec.EllipticCurvePublicKey):
        return isinstance(public.curve, ec.SECP256R1)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return edwards.weakness(public.public_bytes(Encoding.Raw, PublicFormat.Raw)) is None
    return False


def _is_usable(key: object) -> bool:
    return isinstance(key, dict) and key.get("use", "sig") == "sig" and is_sound(key)


def _plain(key: Mapping[str, Any]) -> dict[str, Any]:
    """Only what makes the key: what else a set says of it is ours to judge, not the library's."""
    return {name: key[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in key}


def _chosen(keys: Keys, name: object, algorithm: str) -> dict[str, Any]:
    """The key that the header names; without a name the only one that fits."""
    fitting = [key for key in keys if key["kty"] == TYPES[algorithm] and key.get("alg", algorithm) == algorithm]
    found = fitting if name is None else [key for key in fitting if key.get("kid") == name]
    if not found:
        raise UnknownKey
    if len(found) > 1:
        raise BadToken("token-key-ambiguous")
    return found[0]


def _object(part: str) -> dict[str, Any]:
    try:
        found = strict.loads(base64url.decode(part))
    except ValueError:
        raise BadToken("token-unreadable") from None
    if not isinstance(found, dict):
        raise BadToken("token-unreadable")
    return found
