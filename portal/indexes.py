"""Blind indexes that can change their key while the portal works.

A value that is sealed and looked up stands beside two digests: `<name>_index` and `<name>_index_next`, each with its
own unique constraint where the value has one. Outside a change of keys both are the same. While keys change, every
writer writes both: the first under the key that counts, the second under the one that comes. So two rows of one
value always collide on one of the two, whichever keys their writers knew. Look-ups ask for the digests of every key
in the ring in the first column, and need not know how far the change has come.
"""

from typing import NamedTuple

from django.conf import settings

from portal import vault
from portal.core.errors import Unavailable
from portal.models import IndexKeys


class Pair(NamedTuple):
    """What stands in the two index columns of one value."""

    now: str
    next: str


def keys() -> tuple[str, str]:
    """The key id of the first column and of the second. No query as long as the ring holds one key.

    Without a row that says otherwise the last key of the ring counts: a new one is put before it. A ring of one key
    that is not the right one is found by `missing_keys`, not here.

    Raises Unavailable `index-key-missing` when a key counts that is not in the ring: what is written without it might
    be there already.
    """
    ring = list(settings.INDEX_KEYS)
    if len(ring) == 1:
        return ring[0], ring[0]
    row = IndexKeys.objects.filter(pk=1).first()
    if row is None:
        return ring[-1], ring[-1]
    if not {row.now, row.next} <= set(ring):
        raise Unavailable("An index key that counts is not in PORTAL_INDEX_KEYS.", code="index-key-missing")
    return row.now, row.next


def missing_keys() -> list[str]:
    """The ids of index keys that count, and are not in the ring of this process. One query."""
    row = IndexKeys.objects.filter(pk=1).first()
    return sorted({row.now, row.next} - set(settings.INDEX_KEYS)) if row is not None else []


def to_write(purpose: str, scope: object, value: str) -> Pair:
    """Both digests of a value, for the row that is written in this transaction."""
    now, following = keys()
    first = vault.blind_index(now, purpose, scope, value)
    return Pair(first, first if following == now else vault.blind_index(following, purpose, scope, value))


def to_find(purpose: str, scope: object, value: str) -> list[str]:
    """The digests under which a value may stand in the first column: `<name>_index__in=…`."""
    return [vault.blind_index(key_id, purpose, scope, value) for key_id in settings.INDEX_KEYS]
