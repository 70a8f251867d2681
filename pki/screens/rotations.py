"""Rotations as the portal's pages show them: plain values, the steps on the way, the days before and ahead."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from pki.models import AttemptOutcome, Certificate, CertificateAuthority, Rotation, RotationAttempt
from pki.queries.rotations import TAKEN_WITHIN, RotationDay, RotationFilter
from pki.screens.certificates import brief, device
from pki.states import RotationState
from portal.accounts.roles import Capability, who_can
from portal.core import clock
from portal.core.actor import Actor
from portal.web.charts import DayChart, DayCount, day_chart

SHOWN_STUCK: Final = 8
TABS: Final = {
    "": "All",
    RotationState.PLANNED: "Planned",
    RotationState.AWAITING_DEVICE: "Waiting for devices",
    RotationState.OVERLAP: "Both valid",
    RotationState.DONE: "Done",
    RotationState.FAILED: "Given up",
    RotationState.CANCELLED: "Cancelled",
}
# How a line of the ledger looks: tone and icon.
LINES: Final[Mapping[str, tuple[str, str]]] = {
    AttemptOutcome.ISSUED: ("good", "shield-check"),
    AttemptOutcome.FAILED: ("bad", "circle-x"),
    AttemptOutcome.LOST: ("wait", "undo"),
    AttemptOutcome.ASKED: ("wait", "smartphone"),
    AttemptOutcome.REMINDED: ("wait", "mail"),
    AttemptOutcome.PROVED: ("good", "check"),
    AttemptOutcome.ENDED: ("good", "check"),
    AttemptOutcome.GIVEN_UP: ("bad", "triangle-alert"),
    AttemptOutcome.CANCELLED: ("off", "x"),
}
BROKEN: Final = (RotationState.FAILED, RotationState.CANCELLED)


def row(rotation: Rotation) -> dict[str, object]:
    """A rotation for a list."""
    waits = rotation.state in (RotationState.PLANNED, RotationState.SIGNING)
    return {
        "url": reverse("pki:rotation", args=[rotation.pk]),
        "public_id": rotation.public_id,
        "device": device(rotation.device),
        "state": rotation.state,
        "mark": f"rotation-{rotation.state}",
        "type": rotation.get_type_display(),
        "attempts": rotation.attempts,
        "reason": rotation.last_reason,
        "left": waits and rotation.next_try_at <= clock.now() - TAKEN_WITHIN,
        "planned_at": rotation.planned_at,
        "renewed_at": rotation.renewed_at,
        "closed_at": rotation.closed_at,
        "due_at": rotation.due_at,
        "next_try_at": rotation.next_try_at if waits and rotation.attempts else None,
        "until": rotation.old.overlap_until if rotation.state == RotationState.OVERLAP else None,
    }


def facts(rotation: Rotation) -> dict[str, object]:
    """A rotation for its own page."""
    return row(rotation) | {
        "authority": {
            "name": rotation.authority.name,
            "url": reverse("pki:authority", args=[rotation.authority_id]),
        },
        "owner": rotation.device.owner.name,
        "is_open": rotation.is_open,
        "asked_again_at": rotation.next_try_at if rotation.state == RotationState.AWAITING_DEVICE else None,
        "old": brief(rotation.old),
        "new": brief(rotation.new) if rotation.new else None,
        "new_key": bool(rotation.new and rotation.new.key_fingerprint != rotation.old.key_fingerprint),
    }


def way(rotation: Rotation) -> list[dict[str, object]]:
    """The steps from the plan to the end. tone: done, the one that waits, one that comes, or how it broke off."""
    return list(_way(rotation))


def _way(rotation: Rotation) -> Iterator[dict[str, object]]:
    proved = rotation.new.proved_at if rotation.new else None
    last = "Proved by the device" if proved else "Only the new one is valid"
    steps: list[tuple[str, str, datetime | None]] = [
        ("Planned", "clock", rotation.planned_at),
        ("New certificate", "shield-check", rotation.renewed_at),
        (last, "check", rotation.closed_at if rotation.state == RotationState.DONE else None),
    ]
    waiting = rotation.is_open
    for label, icon, at in steps:
        if at is not None:
            yield {"label": label, "icon": icon, "at": at, "tone": "good", "now": False}
        elif rotation.state in BROKEN:
            end, tone = RotationState(rotation.state), "bad" if rotation.state == RotationState.FAILED else "off"
            yield {"label": end.label, "icon": "circle-x", "at": rotation.closed_at, "tone": tone, "now": False}
            return
        else:
            yield {"label": label, "icon": icon, "at": None, "tone": "wait" if waiting else "off", "now": waiting}
            waiting = False


def ledger(tries: Sequence[RotationAttempt]) -> list[dict[str, object]]:
    """Every line of a rotation's ledger, newest first."""
    return [_line(one) for one in tries]


def _line(one: RotationAttempt) -> dict[str, object]:
    tone, icon = LINES.get(one.outcome, ("off", "activity"))
    return {
        "label": one.get_outcome_display(),
        "tone": tone,
        "icon": icon,
        "at": one.at,
        "reason": one.reason,
        "next_at": one.next_try_at,
    }


def tabs(
    wanted: RotationFilter, counts: Mapping[RotationState, int], kept: Mapping[str, str]
) -> list[dict[str, object]]:
    """The states as tabs, with how many there are in each. A search is kept."""
    counted = {state.value: number for state, number in counts.items()}
    counted[RotationState.PLANNED] += counted.pop(RotationState.SIGNING)
    return [
        {
            "label": label,
            "url": f"{reverse('pki:rotations')}?{urlencode({**kept, **({'state': state} if state else {})})}",
            "current": wanted.state == state,
            "count": counted[state] if state else None,
            "more": False,
        }
        for state, label in TABS.items()
    ]


def control(authority: CertificateAuthority, actor: Actor) -> dict[str, object]:
    """An authority's switch and rate, and whether the actor may use them."""
    return {
        "uuid": authority.pk,
        "name": authority.name,
        "url": reverse("pki:authority", args=[authority.pk]),
        "mark": "rotations-paused" if authority.paused_at else "rotations-running",
        "paused_at": authority.paused_at,
        "rate": authority.rotation_rate,
        "allowed": actor.can(Capability.PKI_MANAGE),
        "who": ", ".join(role.lower() for role in who_can(Capability.PKI_MANAGE)),
    }


def chart(days: Sequence[RotationDay]) -> DayChart:
    """One bar a day: what was renewed, and what the slots plan."""
    counts = [DayCount(one.day, lower=one.done, upper=one.planned) for one in days]
    drawn = day_chart(counts, words=("renewal", "plan"), plot_height=110)
    return replace(drawn, description=_describe(days))


def _describe(days: Sequence[RotationDay]) -> str:
    done, planned = sum(one.done for one in days), sum(one.planned for one in days)
    text = f"{done:,} renewed in the last 14 days, {planned:,} planned for the next 14."
    busiest = max(days, key=lambda one: one.planned, default=None)
    if busiest is not None and busiest.planned:
        text += f" Busiest day ahead: {busiest.day.day} {busiest.day:%b} with {busiest.planned:,}."
    return text


def can_renew(actor: Actor, rotation: Rotation, current: Certificate | None) -> bool:
    """Whether staff may try again: it is over, without a new certificate, and there is one to renew."""
    return rotation.state in BROKEN and current is not None and actor.can(Capability.PKI_SIGN)
