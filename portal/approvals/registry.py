"""The operations that may need a second person, by name. Each registers itself where it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from portal.accounts.roles import Capability
from portal.core.actor import Actor

type Arguments = Mapping[str, Any]
type Preview = list[tuple[int | None, str]]


def _nothing(actor: Actor, arguments: Arguments) -> Preview:
    return []


def _no_names(about: Any) -> dict[str, object]:
    return {}


def _no_facts(result: Any) -> dict[str, object]:
    return {}


@dataclass(frozen=True, kw_only=True)
class FourEyes:
    """An operation that a second person may have to approve.

    name: `object.verb`, stored in requests. label: what a person reads. always: when it needs one whatever the bank
    says, in words; "" for only when the bank says so. optional: whether the bank may want a second person each time.
    names: from the object to arguments that name it by our own id, whatever the caller wrote.
    preview: what would really happen now, counted, in lines (a count or None, a text). Runs in the asker's bank.
    facts: of the operation's result, plain values that the asker may see; never a sealed one.
    covers: the operations that the approval is good for, when the operation calls others.
    several: whether requests with other arguments may wait beside each other at one object: cards for one customer.
    decided_with: the right to approve and reject it. client_scope: what a bank's server needs to have asked for it.
    """

    name: str
    label: str
    always: str = ""
    optional: bool = True
    names: Callable[[Any], dict[str, object]] = _no_names
    preview: Callable[[Actor, Arguments], Preview] = _nothing
    facts: Callable[[Any], dict[str, object]] = _no_facts
    covers: tuple[str, ...] = ()
    several: bool = False
    decided_with: Capability = Capability.APPROVALS_DECIDE
    client_scope: str = "devices:admin"

    @property
    def good_for(self) -> frozenset[str]:
        return frozenset({self.name, *self.covers})


@dataclass(frozen=True)
class Registered:
    """The operation behind a name; called with `actor` and the stored arguments."""

    entry: FourEyes
    operation: Callable[..., Any] = field(repr=False)


_OPERATIONS: Final[dict[str, Registered]] = {}


def register(entry: FourEyes, operation: Callable[..., Any]) -> None:
    """Make an operation known. Raises ValueError for a name that another has."""
    known = _OPERATIONS.get(entry.name)
    if known is not None and known.operation.__qualname__ != operation.__qualname__:
        raise ValueError(f"two operations are called {entry.name}")
    _OPERATIONS[entry.name] = Registered(entry, operation)


def registered(name: str) -> Registered | None:
    """The operation of this name; None for one that this release does not know."""
    return _OPERATIONS.get(name)


def all_registered() -> list[FourEyes]:
    """Every operation that may need a second person, by label."""
    return sorted((known.entry for known in _OPERATIONS.values()), key=lambda entry: entry.label)


def label_of(name: str) -> str:
    """The words for an operation, also for one that this release does not know."""
    known = registered(name)
    return known.entry.label if known else name
