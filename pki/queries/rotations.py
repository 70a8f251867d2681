"""Reads about rotations: the ledger, one rotation, what is stuck, and the days before and behind us."""

import datetime as dt
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate

from devices.models import Device
from pki.models import Certificate, CertificateAuthority, Rotation, RotationAttempt
from pki.models.certificates import CertificateQuerySet
from pki.models.rotations import RotationQuerySet
from pki.policies import require_own_device, require_read
from pki.states import CaRole, CaState, CertificateState, RotationState
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25
STUCK_TRIES: Final = 3  # failed tries of one rotation that make it worth a look
TAKEN_WITHIN: Final = timedelta(hours=1)  # what no worker takes up for so long is paused, or the rate is low
LOOKED_AT: Final = timedelta(days=30)  # how long one that was given up stays on the list
DAYS_BEHIND, DAYS_AHEAD = 14, 14


@dataclass(frozen=True)
class RotationFilter:
    """What a member of staff looks for. Empty texts do not filter."""

    q: str = ""
    state: str = ""


@dataclass(frozen=True)
class RotationDay:
    """One day, UTC. done: certificates renewed. planned: certificates whose slot falls on it, still to come."""

    day: dt.date
    done: int
    planned: int


def get_rotation(actor: Actor, rotation_id: str) -> Rotation:
    """The rotation that `ROT_…` names, with its device and certificates. One query. Raises NotFound, Forbidden."""
    rotation = _readable(actor).named(rotation_id).first()
    require_own_device(actor, rotation.device_id if rotation else None)
    if rotation is None:
        raise NotFound("There is no such rotation.")
    return rotation


def device_of_certificate(actor: Actor, certificate_id: str) -> Device | None:
    """The device of the certificate that `CERT_…` names, where the actor may know of it. One query at most."""
    rows = Certificate.objects.visible_to(actor).select_related("device")
    certificate = rows.named(certificate_id).first()
    return certificate.device if certificate else None


def rotation_page(actor: Actor, wanted: RotationFilter, cursor: str | None = None) -> Page[Rotation]:
    """25 rotations a page, newest first. A cursor that cannot be read gives the first page. One query."""
    rows = _readable(actor)
    if wanted.state == RotationState.PLANNED:
        rows = rows.filter(state__in=[RotationState.PLANNED, RotationState.SIGNING])
    elif wanted.state in RotationState.values:
        rows = rows.filter(state=wanted.state)
    if text := wanted.q.strip():
        rows = rows.filter(_search(actor, text))
    return keyset_page(rows, cursor, fields=("planned_at", "id"), size=PAGE_SIZE)


def count_by_state(actor: Actor) -> dict[RotationState, int]:
    """How many rotations of the bank are in each state. One query."""
    require_read(actor)
    rows = Rotation.objects.visible_to(actor).order_by().values("state").annotate(n=Count("pk"))
    counts = {row["state"]: row["n"] for row in rows}
    return {state: counts.get(state.value, 0) for state in RotationState}


def stuck(actor: Actor) -> QuerySet[Rotation]:
    """What does not go on by itself: tries that fail, keys that devices owe, what nobody takes up, what was given up.

    The nearest end first.
    """
    waiting = Q(state__in=[RotationState.PLANNED, RotationState.SIGNING])
    trying = waiting & Q(attempts__gte=STUCK_TRIES)
    left = waiting & Q(next_try_at__lte=clock.now() - TAKEN_WITHIN)
    owing = Q(state=RotationState.AWAITING_DEVICE)
    given_up = Q(state=RotationState.FAILED, closed_at__gte=clock.now() - LOOKED_AT)
    return _readable(actor).filter(trying | left | owing | given_up).order_by("due_at", "id")


def authorities(actor: Actor) -> list[CertificateAuthority]:
    """The authorities that issue for the actor's bank now. One query."""
    require_read(actor)
    rows = CertificateAuthority.objects.visible_to(actor)
    return list(rows.filter(role=CaRole.ISSUING, state=CaState.ACTIVE).order_by("name"))


def tries_of(rotation: Rotation) -> list[RotationAttempt]:
    """Every line of its ledger, newest first. The caller has checked that it may be seen. One query."""
    return list(rotation.tries.order_by("-id"))


def current_certificate(device: Device) -> Certificate | None:
    """What a device that is in use shows now. One query."""
    if not device.is_active:
        return None
    return Certificate.objects.current().filter(device=device).first()


def days(actor: Actor) -> list[RotationDay]:
    """What was renewed in the last days, and what the slots plan for the next ones. Two queries."""
    require_read(actor)
    today = clock.now().astimezone(UTC).date()
    first, last = today - timedelta(days=DAYS_BEHIND - 1), today + timedelta(days=DAYS_AHEAD)
    start, end = _midnight(first), _midnight(last + timedelta(days=1))
    renewed = Rotation.objects.visible_to(actor).filter(renewed_at__gte=start, renewed_at__lt=end)
    done = _per_day(renewed, "renewed_at")
    in_use = Certificate.objects.visible_to(actor).filter(state=CertificateState.ACTIVE)
    planned = _per_day(in_use.filter(renew_at__gt=clock.now(), renew_at__lt=end), "renew_at")
    span = (last - first).days + 1
    return [
        RotationDay(day, done.get(day, 0), planned.get(day, 0))
        for day in (first + timedelta(days=number) for number in range(span))
    ]


def open_rotation_of(actor: Actor, device: Device) -> Rotation | None:
    """The rotation that is open at a device, for its card. One query."""
    return _readable(actor).open().filter(device=device).first()


def _per_day(rows: QuerySet[Rotation] | QuerySet[Certificate], field: str) -> dict[dt.date, int]:
    counted = rows.order_by().annotate(day=TruncDate(field, tzinfo=UTC)).values("day").annotate(n=Count("pk"))
    return {row["day"]: row["n"] for row in counted}


def _midnight(day: dt.date) -> datetime:
    return datetime.combine(day, dt.time.min, UTC)


def _search(actor: Actor, text: str) -> Q:
    """By rotation or certificate id, device id in any spelling, customer number."""
    found = Q(device__owner__customer_number=text)
    found |= Q(device_id__in=Device.objects.named(text, actor.bank_id).values("pk"))
    if rotation_id := RotationQuerySet.id_from(text):
        found |= Q(pk=rotation_id)
    if certificate_id := CertificateQuerySet.id_from(text):
        found |= Q(old_id=certificate_id) | Q(new_id=certificate_id)
    return found


def _readable(actor: Actor) -> RotationQuerySet:
    require_read(actor)
    return Rotation.objects.visible_to(actor).select_related("device__owner", "old", "new", "authority")
