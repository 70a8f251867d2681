"""Who acts, through which door. Built by the door from the credential alone; the first argument of each operation."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID


class ActorKind(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    BANK = "bank"  # a bank's server, by client credentials
    MERCHANT = "merchant"  # a merchant's server, by client credentials
    SYSTEM = "system"  # our own background work and commands
    ANONYMOUS = "anonymous"  # nobody known: only refusals are written in this name


class Channel(StrEnum):
    PORTAL = "portal"
    ADMIN = "admin"
    ASSECO = "asseco"
    HYPHEN = "hyphen"
    SPID = "spid"
    ADIBA = "adiba"
    PEERE = "peere"
    EST = "est"
    OAUTH = "oauth"
    COMMAND = "command"
    TASK = "task"


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A second person's yes, for as long as the approved operation runs.

    id: the request's (`APR_…`). by: who approved, for people to read. by_id: the same as a key. covers: the
    operations it is good for. asked_at: when it was asked for; what has changed hands since is not what was meant.
    """

    id: str
    by: str
    covers: frozenset[str]
    asked_at: datetime
    by_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts.

    id: the stable name written into the audit log: a user's or application's UUID, the name of a job, or "".
    label: the same for people to read.
    bank_id: the tenant; None only for the system.
    capabilities: what a member of staff may do (from the role). Empty for everybody else.
    scopes: what the access token may do. Empty where no token was used.
    device_id: the device a bound token belongs to.
    claims: what the caller said about itself (e.g. `adminId`); kept in the log, never believed.
    approval: set only while a request that a second person approved is carried out in this actor's name.
    """

    kind: ActorKind
    id: str
    label: str
    channel: Channel
    bank_id: UUID | None = None
    user_id: UUID | None = None
    application_id: int | None = None
    device_id: UUID | None = None
    token_id: int | None = None
    capabilities: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    ip: str = ""
    request_id: str = ""
    claims: dict[str, str] = field(default_factory=dict)
    approval: Approval | None = None

    @classmethod
    def system(cls, name: str, *, bank_id: UUID | None = None, channel: Channel = Channel.TASK) -> Self:
        """Our own work: a task, a sweep, a command. `name` says which, e.g. "audit.seal"."""
        return cls(kind=ActorKind.SYSTEM, id=name, label=name, channel=channel, bank_id=bank_id)

    @classmethod
    def anonymous(cls, channel: Channel, *, ip: str = "", request_id: str = "", label: str = "unknown") -> Self:
        """Somebody without a good credential."""
        return cls(kind=ActorKind.ANONYMOUS, id="", label=label, channel=channel, ip=ip, request_id=request_id)

    @property
    def is_customer(self) -> bool:
        return self.kind is ActorKind.CUSTOMER

    @property
    def is_staff(self) -> bool:
        return self.kind is ActorKind.STAFF

    @property
    def is_bank(self) -> bool:
        return self.kind is ActorKind.BANK

    @property
    def is_system(self) -> bool:
        return self.kind is ActorKind.SYSTEM

    def can(self, capability: str) -> bool:
        """Whether a member of staff has this capability. The system has all, nobody else has any."""
        return self.is_system or capability in self.capabilities

    def approved_for(self, operation: str) -> bool:
        """Whether a second person has approved this very operation."""
        return self.approval is not None and operation in self.approval.covers

    def claiming(self, **claims: str) -> Self:
        """The same actor with claims noted for the log."""
        return replace(self, claims={**self.claims, **claims})
