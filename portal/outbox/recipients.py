"""How a push is addressed, and who is told when a recipient turns out to be gone: the application that knows it.

The outbox knows no devices. Each application registers at start-up (`AppConfig.ready`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

_SEPARATOR: Final = ":"

type Listener = Callable[[UUID, str, datetime | None], None]
"""Takes the bank's id, the recipient as it was written, and since when it is gone. A repeat has to be quiet."""

_listeners: dict[str, Listener] = {}


def push_recipient(platform: str, handle: str) -> str:
    """Where a push goes, as one text. platform: as devices name their services."""
    return f"{platform}{_SEPARATOR}{handle}"


def push_parts(recipient: str) -> tuple[str, str]:
    """Platform and handle of a `push_recipient`."""
    platform, _, handle = recipient.partition(_SEPARATOR)
    return platform, handle


def on_gone(kind: str, listener: Listener) -> None:
    """Call `listener` for recipients of one kind of message. One for each kind; the last one counts."""
    _listeners[kind] = listener


def tell_gone(kind: str, bank_id: UUID, recipient: str, since: datetime | None) -> None:
    """Pass it on, outside any transaction; nobody may want to know."""
    if kind in _listeners:
        _listeners[kind](bank_id, recipient, since)
