"""Sealing and blind indexes with the keys from the settings: the Django side of `portal.crypto`.

A sealed value is bound to its purpose (the column) and its row, so that it opens nowhere else.
"""

from functools import cache

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


def blind_index(purpose: str, scope: object, value: str) -> str:
    """A keyed digest for equality look-ups of a sealed value inside one scope (a bank's id). Hex, 64 characters."""
    return keyed_digest(settings.INDEX_KEY, purpose, str(scope), value)


def _forget_keys(*, setting: str, **kwargs: object) -> None:
    if setting == "SEALING_KEYS":
        _ring.cache_clear()


setting_changed.connect(_forget_keys)
