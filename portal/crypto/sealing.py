"""Sealing: small secrets encrypted and bound to where they are kept, under keys that can be changed.

AES-256-GCM-SIV (RFC 8452) with a random 96-bit nonce. Should a nonce ever repeat, all that shows is whether
two sealed texts were equal; with plain GCM the key itself would be at risk.
"""

import re
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from portal.core import base64url

_KEY_ID = re.compile(r"[a-z0-9-]{1,16}")
_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_DOMAIN = b"portal.seal.1"


class SealBroken(Exception):
    """A sealed text cannot be opened: malformed, changed, moved, or sealed under a key that is not here.

    It does not say which: whoever can change the text learns nothing from the answer.
    """

    def __init__(self) -> None:
        super().__init__("the sealed text cannot be opened")


class KeyRing:
    """Keys by id (1 to 16 of ``a-z 0-9 -``; 32 bytes each): all of them open, the current one seals.

    Raises ValueError for a ring without keys, a bad id or length, or a current id that is not in it.
    """

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise ValueError("a sealing key id is 1 to 16 characters of a-z, 0-9 and -")
            if len(key) != _KEY_BYTES:
                raise ValueError(f"sealing key {key_id} must have {_KEY_BYTES} bytes")
        if current not in keys:
            raise ValueError("the current sealing key is not in the ring")
        self._ciphers = {key_id: AESGCMSIV(key) for key_id, key in keys.items()}
        self.current = current

    def __repr__(self) -> str:
        return f"KeyRing(ids={sorted(self._ciphers)}, current={self.current!r})"

    def seal(self, plaintext: bytes, aad: bytes) -> str:
        """Encrypt under the current key: ``<key id>.<base64url of nonce, ciphertext and tag>``.

        ``aad`` names the place (which table, row and field); the same is needed to open the text, so that it
        cannot be moved to another row. Sealing the same twice gives two different texts.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._ciphers[self.current]
        sealed = nonce + cipher.encrypt(nonce, plaintext, _bound(self.current, aad))
        return f"{self.current}.{base64url.encode(sealed)}"

    def unseal(self, sealed: str, aad: bytes) -> bytes:
        """Decrypt. Raises SealBroken for anything but an untouched text of this ring and this ``aad``."""
        key_id, body = _parts(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken
        try:
            return cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _bound(key_id, aad))
        except InvalidTag:
            raise SealBroken from None

    def key_id(self, sealed: str) -> str:
        """Name the key a text was sealed under, whether or not it is in this ring.

        Raises SealBroken if malformed.
        """
        return _parts(sealed)[0]

    def reseal(self, sealed: str, aad: bytes) -> str:
        """Bring a text under the current key. One that is there already is checked and returned unchanged.

        Raises SealBroken as ``unseal`` does.
        """
        plaintext = self.unseal(sealed, aad)
        return sealed if self.key_id(sealed) == self.current else self.seal(plaintext, aad)


def _bound(key_id: str, aad: bytes) -> bytes:
    return b"\x00".join((_DOMAIN, key_id.encode("ascii"), aad))  # no NUL in the first two: one reading only


def _parts(sealed: str) -> tuple[str, bytes]:
    try:
        key_id, _, text = sealed.partition(".")
        body = base64url.decode(text)
    except (
        AttributeError,
        TypeError,
        ValueError,
    ):  # None or bytes from a caller without types, or no base64url
        raise SealBroken from None
    if not _KEY_ID.fullmatch(key_id) or len(body) < _NONCE_BYTES + _TAG_BYTES:
        raise SealBroken
    return key_id, body
