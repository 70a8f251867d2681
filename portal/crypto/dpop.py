"""Proofs of possession (RFC 9449): a small token, made for one call, that the key bound to an access token signed."""

import hashlib
from dataclasses import dataclass
from typing import Final

from portal.core import base64url
from portal.crypto import jwts
from portal.crypto.jwts import BadToken

ALGORITHMS: Final = ("ES256", "EdDSA")  # what device keys can be
AGE: Final = 60  # seconds before and after now: our own policy
LONGEST_ID: Final = 128


@dataclass(frozen=True)
class Proof:
    """thumbprint: of the key that signed (RFC 7638). id: `jti`, for the caller to refuse the second time."""

    thumbprint: str
    id: str


def check_proof(text: str, *, method: str, url: str, now: int, access_token: str = "") -> Proof:
    """The proof for this very call (RFC 9449 4.3). Raises BadToken.

    url: without query and fragment. now: seconds since the Unix epoch. access_token: as it came along, "" for none.
    """
    header = jwts.header_of(text)
    key, algorithm = header.get("jwk"), header.get("alg")
    if header.get("typ") != "dpop+jwt" or not isinstance(key, dict) or not jwts.is_sound(key):
        raise BadToken("proof-unreadable")
    if algorithm not in ALGORITHMS or jwts.TYPES[str(algorithm)] != key["kty"]:
        raise BadToken("token-algorithm")
    claims = jwts.claims_of(text, [key], [str(algorithm)]) if "kid" not in header else {}
    if claims.get("htm") != method or claims.get("htu") != url:
        raise BadToken("proof-of-another-call")
    issued, name = claims.get("iat"), claims.get("jti")
    if not isinstance(issued, int) or isinstance(issued, bool) or abs(now - issued) > AGE:
        raise BadToken("proof-too-old")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        raise BadToken("proof-unreadable")
    if access_token and claims.get("ath") != token_hash(access_token):
        raise BadToken("proof-of-another-token")
    return Proof(jwts.thumbprint(key), name)


def token_hash(access_token: str) -> str:
    """`ath`: what a proof says of the access token that it comes with."""
    return base64url.encode(hashlib.sha256(access_token.encode()).digest())
