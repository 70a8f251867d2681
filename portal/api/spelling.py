"""How a dialect spells the names we write in snake_case: by a rule, and a list of names that follow none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def kebab(name: str) -> str:
    """`device_id` → `device-id`."""
    return name.replace("_", "-")


def camel(name: str) -> str:
    """`device_id` → `deviceId`."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


@dataclass(frozen=True)
class Spelling:
    """Writes names as the wire has them.

    rule: for regular names. irregular: our name → the wire's, for the rest.
    """

    rule: Callable[[str], str]
    irregular: Mapping[str, str] = field(default_factory=dict)

    def name(self, ours: str) -> str:
        """One name; of a dotted path, each part."""
        return ".".join(self.irregular.get(part) or self.rule(part) for part in ours.split("."))

    def body(self, value: object) -> object:
        """A whole body: every key of every object in it."""
        if isinstance(value, Mapping):
            return {self.name(str(key)): self.body(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.body(item) for item in value]
        return value
