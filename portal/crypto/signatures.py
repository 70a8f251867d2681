"""Checking signatures of device keys: ECDSA P-256 with SHA-256, and Ed25519."""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portal.crypto import edwards
from portal.crypto.keys import PublicKey

LONGEST_HEX = 160  # digits; the longest signature is DER of P-256 with 144
_RAW_LENGTH = 64
_DER_TAG = 0x30
_DER_LENGTHS = range(8, 73)  # SEQUENCE of two INTEGERs of 1 to 33 bytes each
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256, FIPS 186-4 D.1.2.3


def read_hex(text: str) -> bytes | None:
    """A signature in hex digits; None for anything else, which is a wrong signature and no error of its own."""
    try:
        return bytes.fromhex(text) if text.isalnum() and len(text) <= LONGEST_HEX else None
    except ValueError:
        return None


def verify(key: object, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature was made over the message with this key's private half.

    The key is a PublicKey or one of the library's public key objects. For P-256 the signature is r‖s (64
    bytes, as IEEE P1363 writes it) or strict DER; for Ed25519 the 64 bytes of RFC 8032. Any other key, form
    or length is False, and so is every signature by an Ed25519 key of small or mixed order. Never raises.

    ECDSA leaves room for a twin: (r, n-s) verifies wherever (r, s) does. A signature's bytes are therefore no
    proof that it is new; replay is stopped by the state of what was signed.
    """
    public = key.key if isinstance(key, PublicKey) else key
    try:
        if isinstance(public, Ed25519PublicKey):
            return _ed25519(public, message, signature)
        if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
            return any(_ecdsa(public, message, r, s) for r, s in _readings(signature))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, OverflowError):
        return False
    return False


def _ed25519(public: Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    # The object may come from a certificate or a JWK, past parse_public_key: look at the point each time.
    if len(signature) != _RAW_LENGTH or edwards.weakness(public.public_bytes(Encoding.Raw, PublicFormat.Raw)):
        return False
    public.verify(signature, message)
    return True


def _readings(signature: bytes) -> list[tuple[int, int]]:
    """List what (r, s) the bytes can mean.

    64 bytes are r‖s, but a DER signature has 64 bytes too when r and s happen to be short: then both readings
    stand. Trying two loses nothing: each one that verifies needs the private key.
    """
    found = []
    if len(signature) == _RAW_LENGTH:
        found.append((int.from_bytes(signature[:32]), int.from_bytes(signature[32:])))
    if len(signature) in _DER_LENGTHS and signature[0] == _DER_TAG:
        found.extend(_der(signature))
    return [(r, s) for r, s in found if 0 < r < _ORDER and 0 < s < _ORDER]


def _der(signature: bytes) -> list[tuple[int, int]]:
    try:
        r, s = decode_dss_signature(signature)
        # Strict whatever the library forgives: only the one DER encoding of r and s is read.
        return [(r, s)] if encode_dss_signature(r, s) == signature else []
    except ValueError:
        return []


def _ecdsa(public: ec.EllipticCurvePublicKey, message: bytes, r: int, s: int) -> bool:
    try:
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
