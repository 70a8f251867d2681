"""Reads for the page that shows a change of keys."""

from dataclasses import dataclass
from typing import Final

from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import Forbidden
from portal.keys.models import KeyChange, KeyStep
from portal.keys.rings import index_ring, sealing_ring
from portal.models import IndexKeys

READERS: Final = frozenset({Capability.PKI_MANAGE, Capability.AUDIT_READ})
SHOWN: Final = 10  # earlier changes


@dataclass(frozen=True)
class KeyNews:
    """change: the one that is on, or the last. steps: its columns. earlier: those before it, newest first.

    sealing, index: the ids of the keys in the rings. index_key: what everything is found by.
    """

    sealing: list[str]
    index: list[str]
    index_key: str
    change: KeyChange | None
    steps: list[KeyStep]
    earlier: list[KeyChange]


def key_news(actor: Actor) -> KeyNews:
    """How the change of keys stands. Three queries, none of them over the columns themselves. Raises Forbidden."""
    if not any(actor.can(capability) for capability in READERS):
        raise Forbidden("Keys are shown to security officers and to those who read the audit log.")
    changes = list(KeyChange.objects.order_by("-started_at")[: SHOWN + 1])
    row = IndexKeys.objects.filter(pk=1).first()
    return KeyNews(
        sealing=sealing_ring(),
        index=index_ring(),
        index_key=row.now if row else index_ring()[-1],
        change=changes[0] if changes else None,
        steps=list(changes[0].steps.order_by("pk")) if changes else [],
        earlier=changes[1:],
    )
