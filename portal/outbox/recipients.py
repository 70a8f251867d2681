"""Who is told when a recipient turns out to be gone: the application that knows whose address it was.

The outbox knows no devices. Each application registers at start-up (`AppConfig.ready`).
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

type Listener = Callable[[UUID, str, datetime | None], None]
"""Takes the bank's id, the recipient as it was written, and since when it is gone. A repeat has to be quiet."""

_listeners: dict[str, Listener] = {}


def on_gone(kind: str, listener: Listener) -> None:
    """Call `listener` for recipients of one kind of message. One for each kind; the last one counts."""
    _listeners[kind] = listener


def tell_gone(kind: str, bank_id: UUID, recipient: str, since: datetime | None) -> None:
    """Pass it on, outside any transaction; nobody may want to know."""
    if kind in _listeners:
        _listeners[kind](bank_id, recipient, since)
