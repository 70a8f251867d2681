"""How push messages of two-factor requests arrive."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Q

from devices.models import Device, DeviceKey, PushPlatform
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.outbox.gateways import pushes_to
from portal.outbox.models import Message, MessageKind, MessageState
from twofa.policies import require_read
from twofa.queries.push_days import PushDay, push_days

WITHIN: Final = timedelta(days=1)
SHOWN: Final = 10
TEMPLATES: Final = "hyphen:"
CARRIED: Final = (PushPlatform.APNS, PushPlatform.GCM)  # the gateways that there are; of others only handles are kept


@dataclass(frozen=True)
class ServiceHealth:
    """One push service. is_set_up: messages leave for it. devices: active ones that it reaches. lapsed: those whose
    registration has run out. days: its last two weeks."""

    platform: str
    is_set_up: bool
    devices: int
    lapsed: int
    days: tuple[PushDay, ...] = ()


@dataclass(frozen=True)
class PushHealth:
    """Of the last day, but for what still waits. counts: by `MessageState`. failed: the newest. unreachable: active
    devices with an approval key that no push service reaches: they only hear of a request when they ask."""

    services: tuple[ServiceHealth, ...]
    counts: dict[str, int]
    failed: tuple[Message, ...]
    oldest_waiting: datetime | None
    unreachable: int


def push_health(actor: Actor) -> PushHealth:
    """The bank's push messages about requests, and its devices. Six queries. Raises Forbidden."""
    require_read(actor)
    services = _services(actor)
    days = push_days(actor, [one.platform for one in services])
    since = ids.uuid7(at_ms=int((clock.now() - WITHIN).timestamp() * 1000))
    pushes = Message.objects.visible_to(actor).filter(kind=MessageKind.PUSH, template__startswith=TEMPLATES)
    rows = pushes.filter(id__gte=since)
    found = rows.order_by().values("state").annotate(n=Count("pk"))
    counts = {row["state"]: row["n"] for row in found}
    waiting = pushes.filter(state__in=[MessageState.PENDING, MessageState.SENDING])
    return PushHealth(
        services=tuple(replace(one, days=days[one.platform]) for one in services),
        counts={state.value: counts.get(state.value, 0) for state in MessageState},
        failed=tuple(rows.filter(state=MessageState.FAILED).order_by("-id")[:SHOWN]),
        oldest_waiting=waiting.order_by("id").values_list("created_at", flat=True).first(),
        unreachable=_unreachable(actor),
    )


def _services(actor: Actor) -> tuple[ServiceHealth, ...]:
    """Those that are set up here, or that a device has registered for."""
    now = clock.now()
    active = Device.objects.visible_to(actor).active().exclude(push_platform="").order_by()
    rows = active.values_list("push_platform").annotate(
        live=Count("pk", filter=Q(push_expires_at__gt=now)), all=Count("pk")
    )
    found: dict[str, tuple[int, int]] = {platform: (live, all_there) for platform, live, all_there in rows}
    services = [_service(platform, *found.get(platform, (0, 0))) for platform in PushPlatform.values]
    return tuple(one for one in services if one.devices or one.lapsed or (one.is_set_up and one.platform in CARRIED))


def _service(platform: str, live: int, all_there: int) -> ServiceHealth:
    return ServiceHealth(platform=platform, is_set_up=pushes_to(platform), devices=live, lapsed=all_there - live)


def _unreachable(actor: Actor) -> int:
    able = Device.objects.visible_to(actor).active().filter(keys__in=DeviceKey.objects.in_use())
    served = [platform for platform in PushPlatform.values if pushes_to(platform)]
    return able.exclude(push_platform__in=served, push_expires_at__gt=clock.now()).order_by().count()
