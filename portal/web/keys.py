"""The page that shows how a change of keys stands."""

from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.keys.models import KeyChange, KeyStep, Phase
from portal.keys.queries import key_news
from portal.web.access import StaffRequest, signed_in

ORDER: Final = ("fill", "move", "seal")
TITLES: Final = {
    "fill": "Indexes double-written",
    "move": "Indexes moved to the new key",
    "seal": "Texts sealed anew",
}


@require_safe
@signed_in
def keys(request: StaffRequest) -> HttpResponse:
    """The rings, the change that is on or was last, a bar for each column, and the changes before it.

    Rows are those of every bank, so that none is counted or named here: `manage.py rotate_keys --status` does.
    """
    found = key_news(request.actor)
    context = {
        "sealing": found.sealing,
        "index": found.index,
        "index_key": found.index_key,
        "change": _change(found.change) if found.change else None,
        "groups": _groups(found.steps),
        "earlier": [_change(change) for change in found.earlier],
    }
    return render(request, "web/keys.html", context)


def _change(change: KeyChange) -> dict[str, object]:
    return {
        "name": str(change),
        "state": "ok" if change.phase == Phase.DONE else "late" if change.note else "pending",
        "word": Phase(change.phase).label,
        "open": change.is_open,
        "note": change.note,
        "started_at": change.started_at,
        "worked_at": change.worked_at,
        "done_at": change.done_at,
    }


def _groups(steps: list[KeyStep]) -> list[dict[str, object]]:
    groups = [(kind, [step for step in steps if step.kind == kind]) for kind in ORDER]
    return [
        {"kind": kind, "title": TITLES[kind], "steps": [_step(step) for step in found]}
        for kind, found in groups
        if found
    ]


def _step(step: KeyStep) -> dict[str, object]:
    model, _, column = step.place.rpartition(".")
    return {
        "place": step.place,
        "model": model,
        "column": column,
        "percent": step.percent,
        "round": step.round,
        "done": step.done,
        "broken": bool(step.broken),
    }
