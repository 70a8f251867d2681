"""Push services and their messages as the portal's page shows them."""

from typing import Final

from devices.models import PushPlatform
from portal.core.actor import Actor
from portal.outbox.models import MessageState
from portal.web import charts
from twofa.queries.push_health import PushHealth, ServiceHealth
from twofa.screens.requests import pushes

STATES: Final = {
    MessageState.SENT: ("Sent", "taken by the push service"),
    MessageState.FAILED: ("Failed", "given up; their devices were not told"),
    MessageState.PENDING: ("Waiting", "sent by the next sweep"),
    MessageState.SENDING: ("On their way", "with a worker now"),
}


def health(found: PushHealth, actor: Actor) -> dict[str, object]:
    """Push services day by day, what became of the last day's messages, and whom none reaches."""
    return {
        "services": [_service(one) for one in found.services],
        "tiles": [
            {"label": label, "value": found.counts[state], "note": note, "url": ""}
            for state, (label, note) in STATES.items()
        ],
        "failed": pushes(found.failed, actor),
        "oldest_waiting": found.oldest_waiting,
        "unreachable": found.unreachable,
    }


def _service(found: ServiceHealth) -> dict[str, object]:
    days = [charts.DayCount(day.day, lower=day.sent, upper=day.failed) for day in found.days]
    chart = charts.day_chart(days, words=("sent message", "failed message"), plot_height=110)
    return {
        "platform": found.platform,
        "name": PushPlatform(found.platform).label,
        "is_set_up": found.is_set_up,
        "devices": found.devices,
        "lapsed": found.lapsed,
        "chart": chart,
        "days": [(bar, day.gone) for bar, day in zip(chart.bars, found.days, strict=True)],
        "gone": sum(day.gone for day in found.days),
        "any": bool(chart.lower or chart.upper),
    }
