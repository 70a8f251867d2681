"""The demo's data, made by the product's own operations, through a whole change of keys."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from portal import sealed, vault
from portal.core.actor import Actor
from portal.demo import ensure_demo
from portal.keys import engine
from portal.keys.change import start_change
from portal.keys.models import KeyChange, Phase
from portal.keys.standing import standing
from portal.keys.tests import rings

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def opened() -> Counter[str]:
    """Open every sealed text as its column says. Returns how many there are, by place; raises SealBroken."""
    found: Counter[str] = Counter()
    for column in sealed.columns():
        rows = column.model._base_manager.exclude(**{column.column: ""})
        for row, text in rows.values_list(column.row, column.column):
            vault.unseal(column.purpose, row, text)
            found[column.place] += 1
    return found


def test_all_that_operations_seal_is_found_where_the_registry_says(tmp_path: Path, settings: Any) -> None:
    settings.VAR, settings.BASE_URL = tmp_path, "http://127.0.0.1:8000"
    with rings.before():
        ensure_demo(tmp_path / "demo.json")
        before = opened()
    assert len(before) >= 12
    with rings.both():
        start_change(actor=Actor.system("rotate_keys"))
        assert not engine.run(600)
        change = KeyChange.objects.get()
        assert (change.phase, sum(change.steps.values_list("broken", flat=True))) == (Phase.DONE, 0)
        assert standing().droppable == ["PORTAL_SEALING_KEYS: t1", "PORTAL_INDEX_KEYS: i1"]
    with rings.after():
        assert opened() == before
