"""Sealing, digests and blind indexes with the keys from the settings: the Django side of `portal.crypto`.

A sealed value is bound to its purpose (the column) and its row, so that it opens nowhere else.
"""

from functools import cache
from uuid import UUID

from django.conf import settings
from django.core.signals import setting_changed

from portal.crypto.digests import keyed_digest
from portal.crypto.sealing import KeyRing


@cache
def _ring() -> KeyRing:
    keys: dict[str, bytes] = settings.SEALING_KEYS
    return KeyRing(keys, current=next(iter(keys)))


def _aad(purpose: str, row_id: object) -> bytes:
    return f"{purpose}\0{row_id}".encode()


def seal(purpose: str, row_id: object, text: str) -> str:
    """Seal `text` for one column (`purpose`, e.g. "device.external_id") of one row. An empty text stays empty."""
    return _ring().seal(text.encode(), _aad(purpose, row_id)) if text else ""


def unseal(purpose: str, row_id: object, sealed: str) -> str:
    """Open what `seal` made for the same column and row. Raises SealBroken."""
    return _ring().unseal(sealed, _aad(purpose, row_id)).decode() if sealed else ""


def reseal(purpose: str, row_id: object, sealed: str) -> str:
    """Bring a text of `seal` under the key that seals now; one that is there already stays. Raises SealBroken."""
    return _ring().reseal(sealed, _aad(purpose, row_id)) if sealed else ""


def current_key() -> str:
    """The id of the key that seals now."""
    return _ring().current


def key_of(sealed: str) -> str:
    """The id of the key that a text is under, whether or not it is in the ring. Raises SealBroken if malformed."""
    return _ring().key_id(sealed)


def digest(purpose: str, scope: object, value: str) -> str:
    """A keyed digest of what is kept nowhere else (a code, a secret, a body), inside one scope. Hex, 64 characters.

    Its key never changes: what is not kept cannot be digested anew.
    """
    return keyed_digest(settings.DIGEST_KEY, purpose, str(scope), value)


def blind_index(key_id: str, purpose: str, scope: object, value: str) -> str:
    """A keyed digest for look-ups of a sealed value inside one scope (a bank's id), by one of the index keys.

    Hex, 64 characters. Which keys count now says `portal.indexes`. Raises KeyError for a key that is not in the ring.
    """
    return keyed_digest(settings.INDEX_KEYS[key_id], purpose, str(scope), value)


def pseudonym(purpose: str, *parts: object) -> UUID:
    """128 bits that mean the same parts as long as the pairwise key lives; without it they say nothing."""
    return UUID(keyed_digest(settings.PAIRWISE_KEY, purpose, *map(str, parts))[:32])


def _forget_keys(*, setting: str, **kwargs: object) -> None:
    if setting == "SEALING_KEYS":
        _ring.cache_clear()


setting_changed.connect(_forget_keys)
