"""What an audit event changed, as rows that a person can read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from portal.web.marks import humanise

NOTHING = "—"


@dataclass(frozen=True)
class Change:
    """One field that differs. `before` and `after` are text; a missing value is a dash."""

    field: str
    before: str
    after: str


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def spell(value: object) -> str:
    """A stored value as text: yes and no for truth values, a dash for nothing, lists with commas."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(spell(item) for item in value) or NOTHING
    return str(value)


def changes(before: Mapping[str, object] | None, after: Mapping[str, object] | None) -> list[Change]:
    """The fields whose values differ, in the order in which they were written; equal ones are left out."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    names = [*old, *(name for name in new if name not in old)]
    return [
        Change(humanise(name), spell(old.get(name)), spell(new.get(name)))
        for name in names
        if old.get(name) != new.get(name)
    ]
