"""What a way out looks like: one method, one error."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """An opened message, alive only while it is sent. Its repr shows neither recipient nor text.

    id: the same at each try, so that a receiver can tell a repeat.
    """

    id: UUID
    bank_id: UUID
    kind: str
    template: str
    recipient: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)


class GatewayError(Exception):
    """The message did not leave. `reason`: short, without recipient or text. `retry`: a later try may work."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        self.reason = reason
        self.retry = retry
        super().__init__(reason)


class Gateway(Protocol):
    """Takes messages out. It may be called twice with the same message."""

    def send(self, message: Outgoing) -> None:
        """Hand the message over, within about ten seconds. Raises GatewayError."""
