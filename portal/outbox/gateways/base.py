"""What a way out looks like: one method, and the two ways in which a message does not leave."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid5


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """An opened message, alive only while it is sent. Its repr shows neither recipient nor text.

    resends: how often staff sent it again after it was given up.
    """

    id: UUID
    bank_id: UUID
    kind: str
    template: str
    recipient: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    resends: int = 0

    @property
    def key(self) -> UUID:
        """The same at each try, so that a receiver can tell a repeat; another one once staff sent it again.

        A receiver that keeps its answers by this key would else refuse a message for good that it refused once.
        """
        return uuid5(self.id, str(self.resends)) if self.resends else self.id

    @property
    def data(self) -> dict[str, str]:
        """What an application reads itself, by name; empty for a text to people. The template `app:kind` makes one:
        the body is then `app:data`, and says what `app:type` names."""
        app, of_app, kind = self.template.partition(":")
        return {f"{app}:type": kind, f"{app}:data": self.body} if of_app else {}


class GatewayError(Exception):
    """The message did not leave.

    reason: short, without recipient or text. retry: a later try may work. after: not before so long, when the
    receiver said so.
    """

    def __init__(self, reason: str, *, retry: bool, after: timedelta | None = None) -> None:
        self.reason = reason
        self.retry = retry
        self.after = after
        super().__init__(reason)


class RecipientGone(GatewayError):
    """Nobody is at the recipient's address any more, for good. since: when the receiver noticed, when it says so."""

    def __init__(self, reason: str, *, since: datetime | None = None) -> None:
        self.since = since
        super().__init__(reason, retry=False)


class Gateway(Protocol):
    """Takes messages out. It may be called twice with the same message."""

    def send(self, message: Outgoing) -> None:
        """Hand the message over, within about ten seconds. Raises GatewayError."""
