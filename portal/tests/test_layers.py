"""What the import linter cannot say: it sees Django as one package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = [
    *("devices/operations", "devices/models", "devices/queries", "devices/policies", "devices/states.py"),
    *("portal/accounts/operations", "portal/accounts/models", "portal/accounts/policies.py"),
    *("portal/audit/log.py", "portal/audit/models.py", "portal/outbox/operations.py", "portal/outbox/models.py"),
]
# Templates are allowed: what a message to a person says is written in one.
DOORS_ONLY = ("django.http.", "django.shortcuts.", "django.views.", "django.forms.", "django.contrib.admin.")


def files() -> Iterator[Path]:
    for name in RULES:
        path = ROOT / name
        yield from sorted(path.glob("**/*.py")) if path.is_dir() else [path]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_know_nothing_of_requests_and_pages(path: Path) -> None:
    assert [name for name in imported(path) if f"{name}.".startswith(DOORS_ONLY)] == []
