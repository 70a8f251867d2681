"""Cards and tokens as the portal's pages show them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from devices.models import CardKind, Device
from devices.operations.issued import ISSUE
from devices.operations.issued_life import REPLACE
from devices.policies import issued as policies
from devices.policies.verdicts import Verdict
from devices.queries import issued as queries
from devices.screens.cards import card_mark
from devices.screens.registry import row
from devices.screens.switching import offer
from devices.states import CardStatus, Category, DeviceStatus
from portal.approvals.policy import policy_of
from portal.approvals.registry import label_of
from portal.core.actor import Actor


@dataclass(frozen=True)
class Step:
    """Something that staff do with a card or token besides switching it on and off.

    asks_as: the operations of which any may take a second person in this bank.
    """

    name: str
    label: str
    icon: str
    danger: bool
    meaning: str
    policy: Callable[[Actor, Device], Verdict]
    asks_as: tuple[str, ...] = ()


DELIVER: Final = Step(
    "deliver",
    "Note the delivery",
    "truck",
    False,
    "It has reached its holder. Until this is noted it cannot be activated.",
    policies.deliver,
)
REPLACE_STEP: Final = Step(
    "replace",
    "Replace",
    "refresh-cw",
    True,
    "It is out of use for good, at once, and its holder gets another like it. The new one waits until it is "
    "delivered and activated. Its holder is told.",
    policies.replace,
    (REPLACE, ISSUE),
)


def steps(actor: Actor, device: Device, waiting: Sequence[Mapping[str, object]] = ()) -> list[dict[str, object]]:
    """What may be done with a card or token now, as on `screens.steps`. Nothing for phones and what is out of use.

    waiting: what waits for a second person at the device; it is not offered again.
    """
    if device.category != Category.ISSUED or device.status == DeviceStatus.RETIRED:
        return []
    details = queries.details_of(device)
    asked = {entry["label"] for entry in waiting}
    undelivered = device.lost_at is None and (details is None or details.delivered_on is None)
    offered = [DELIVER, REPLACE_STEP] if undelivered else [REPLACE_STEP]
    return [
        offer(step, step.policy(actor, device), device, by_policy=bool(second_person(actor, *step.asks_as)))
        for step in offered
        if asked.isdisjoint(map(label_of, step.asks_as))
    ]


def second_person(actor: Actor, *operations: str) -> str:
    """Why any of these takes a second person in this bank, or ""."""
    required = policy_of(actor.bank_id).required if operations else ()
    return "Your bank wants a second person for this." if set(operations) & set(required) else ""


def listed(device: Device) -> dict[str, object]:
    """A card or token for the list."""
    details = queries.details_of(device)
    return row(device) | {
        "number": details.masked_number if details else "",
        "reference": details.reference if details else "",
        "brand": details.card_brand if details else "",
        "card_kind": CardKind(details.card_kind).label if details and details.card_kind else "",
        "expires_on": details.expires_on if details else None,
        "delivered": details is not None and details.delivered_on is not None,
        "mark": card_mark(device),
    }


NOTES: Final = {
    CardStatus.INACTIVE: "on their way, or switched off",
    CardStatus.VALID: "in use",
    CardStatus.EXPIRED: "not valid any more",
    CardStatus.BLOCKED: "by their holders or the bank",
    CardStatus.LOST: "blocked for good, unless found",
}


def counts(actor: Actor) -> list[dict[str, object]]:
    """How many there are in each state, as tiles that lead to them."""
    found = queries.count_by_card_status(actor)
    return [
        {
            "label": status.label,
            "value": found[status.value],
            "note": NOTES[status],
            "url": f"{reverse('devices:issued')}?status={status.value}",
        }
        for status in CardStatus
    ]
