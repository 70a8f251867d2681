"""The log's vocabulary holds only what is said: each name is a filter that people are offered."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.audit.events import Event

ROOT = Path(__file__).resolve().parents[3]


def written_in_source() -> Iterator[str]:
    """Every `Event.X` of the product's own code, tests left out."""
    for folder in ("portal", "devices", "merchants", "pki", "twofa"):
        for path in (ROOT / folder).rglob("*.py"):
            if "tests" not in path.parts:
                yield from re.findall(r"\bEvent\.([A-Z_]+)\b", path.read_text())


@pytest.fixture(scope="module")
def written() -> set[str]:
    return set(written_in_source())


@pytest.mark.parametrize("event", Event, ids=lambda event: event.value)
def test_every_event_is_written_somewhere(event: Event, written: set[str]) -> None:
    assert event.name in written
