"""Steps over many devices as the portal's pages show them."""

from collections import Counter
from collections.abc import Mapping

from django.urls import reverse

from devices.models import BulkRun, BulkStep, Device
from devices.operations.bulk_trial import ALREADY, CHANGED, REFUSED, Trial
from devices.operations.cascade import Ending
from devices.policies import bulk as policies
from devices.screens.registry import row
from devices.screens.switching import STEPS_BY_NAME
from portal.core.actor import Actor


def offers(actor: Actor) -> list[dict[str, object]]:
    """The steps that the actor may take over many devices, as buttons of the list."""
    may = [step for step in BulkStep if policies.may_switch_many(actor, policies.STEPS[step]).allowed]
    return [
        {"name": step.name, "label": step.label, "icon": step.icon, "danger": step.danger}
        for step in map(STEPS_BY_NAME.__getitem__, may)
    ]


def trial(found: Trial) -> dict[str, object]:
    """What a step would do."""
    step = STEPS_BY_NAME[found.step]
    return {
        "label": step.label,
        "icon": step.icon,
        "danger": step.danger,
        "count": found.counts[CHANGED],
        "asks": found.second_person,
        "tiles": _tiles(found.counts, changed="Would change"),
        "ends": _ends(found.ended) if policies.STEPS[found.step].ends_access else [],
        "lines": [_line(line.entry, line.device, would=True) for line in found.lines],
        "device_ids": [line.device_id for line in found.lines],
    }


def result(run: BulkRun, devices: Mapping[str, Device]) -> dict[str, object]:
    """What a step did."""
    return {
        "label": BulkStep(run.step).label,
        "by": run.started_by.name if run.started_by else "",
        "at": run.created_at,
        "tiles": _tiles(Counter(entry["outcome"] for entry in run.outcomes)),
        "ends": _ends(Ending({"sessions": 0, **run.ended})) if policies.STEPS[run.step].ends_access else [],
        "lines": [_line(entry, devices.get(entry["device"])) for entry in run.outcomes],
    }


def _tiles(counts: Mapping[str, int], *, changed: str = "Changed") -> list[dict[str, object]]:
    words = {CHANGED: changed, ALREADY: "So already", REFUSED: "Refused"}
    return [{"label": word, "value": counts.get(outcome, 0)} for outcome, word in words.items()]


def _ends(ended: Ending) -> list[dict[str, object]]:
    return [{"count": count, "text": text} for count, text in ended.lines]


def _line(entry: Mapping[str, str], device: Device | None, *, would: bool = False) -> dict[str, object]:
    """One device; `device` is None where there is none that the actor may see."""
    return {
        "device": row(device) if device else None,
        "device_id": entry["device"],
        "mark": f"bulk-{entry['outcome']}",
        "says": "Would change" if would and entry["outcome"] == CHANGED else "",
        "message": entry["message"],
        "rule": entry["code"],
    }


def url(run: BulkRun) -> str:
    return reverse("devices:bulk-result", args=[run.pk])
