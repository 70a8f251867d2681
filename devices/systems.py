"""Operating systems as people and phones write them, read into a name and a version."""

import re
from dataclasses import dataclass
from typing import Final

NAMES: Final = ("iOS", "iPadOS", "Android")
# How a text begins → which of the three it is told as. Longer beginnings stand before shorter ones.
_BEGINNINGS: Final = (("ipados", "iPadOS"), ("ios", "iOS"), ("iphone os", "iOS"), ("watchos", "iOS"))
_FROM_FIRST_DIGIT: Final = re.compile(r"\d.*", re.DOTALL)


@dataclass(frozen=True)
class System:
    """name: one of `NAMES`. written: the name as the registry has it, "" where it has none. version: the rest."""

    name: str
    written: str
    version: str

    def text(self, *, name: str | None = None, version: str | None = None) -> str:
        """What the registry says when name or version are given anew; a name that means the same stays as it is."""
        kept = self.written if name is None or (name == self.name and self.written) else name
        return f"{kept} {self.version if version is None else version.strip()}".strip()


def read_system(text: str, manufacturer: str) -> System:
    """`iOS 9.x` is iOS, 9.x. What begins like none of Apple's is told as Android; without name by the maker."""
    written, version = _split(text)
    if not written:
        return System("iOS" if "apple" in manufacturer.casefold() else "Android", "", version)
    beginning = written.casefold()
    name = next((name for start, name in _BEGINNINGS if beginning.startswith(start)), "Android")
    return System(name, written, version)


def _split(text: str) -> tuple[str, str]:
    """The name and the version: after one of `NAMES` all that follows, else from the first digit on."""
    head, _, rest = text.partition(" ")
    if head in NAMES:
        return head, rest.strip()
    digits = _FROM_FIRST_DIGIT.search(text)
    if digits is None:
        return text.strip(), ""
    return text[: digits.start()].strip(), digits[0].strip()
