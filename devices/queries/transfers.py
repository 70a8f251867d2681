"""Reads about transfers: the inbox, one transfer with what it would cut, a device's open one."""

from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q, QuerySet

from devices import policies as device_policies
from devices.models import Device, Transfer
from devices.models.transfers import TransferQuerySet
from devices.policies import transfers as policies
from devices.states import TransferState
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.queries import timeline_of
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25


@dataclass(frozen=True)
class TransferFilter:
    """What a member of staff looks for. Empty texts do not filter."""

    q: str = ""
    state: str = ""


def get_transfer(actor: Actor, transfer_id: str) -> Transfer:
    """The transfer that `TRF_…` names, with its device and people. Raises NotFound."""
    transfer = _readable(actor).named(transfer_id).first()
    if transfer is None:
        raise NotFound("There is no such transfer.")
    return transfer


def transfer_page(actor: Actor, wanted: TransferFilter, cursor: str | None = None) -> Page[Transfer]:
    """25 transfers a page, newest first. A cursor that cannot be read gives the first page. One query."""
    rows = _readable(actor)
    if wanted.state in TransferState.values:
        rows = rows.filter(state=wanted.state)
    if text := wanted.q.strip():
        rows = rows.filter(_search(actor, text))
    return keyset_page(rows, cursor, fields=("requested_at", "id"), size=PAGE_SIZE)


def count_by_state(actor: Actor) -> dict[TransferState, int]:
    """How many transfers of the bank are in each state. One query."""
    device_policies.read(actor).require()
    rows = Transfer.objects.visible_to(actor).order_by().values("state").annotate(n=Count("pk"))
    counts = {row["state"]: row["n"] for row in rows}
    return {state: counts.get(state.value, 0) for state in TransferState}


def waiting_for(actor: Actor) -> int:
    """How many transfers wait for this person's decision: none for who may not decide. One query at most."""
    if not policies.may_decide(actor).allowed:
        return 0
    rows = Transfer.objects.visible_to(actor).filter(state=TransferState.PENDING_APPROVAL, expires_at__gt=clock.now())
    return rows.filter(~Q(requested_by_id=actor.user_id) | Q(requested_by=None)).count()


def open_transfer_of(actor: Actor, device: Device) -> Transfer | None:
    """The transfer that is on its way at a device, for its card. One query."""
    return _readable(actor).open().filter(device=device).first()


def story_of(transfer: Transfer) -> QuerySet[AuditEvent]:
    """What happened in a transfer, newest first. The caller has checked that it may be seen.

    Its events are the device's: an index narrows to them, and the id, which stands in their details, picks its own.
    """
    return timeline_of("device", transfer.device_id).filter(data__contains=transfer.public_id)


def _readable(actor: Actor) -> TransferQuerySet:
    if actor.is_staff:
        device_policies.read(actor).require()
    return Transfer.objects.visible_to(actor).select_related(
        "device", "old_owner", "new_owner", "requested_by", "decided_by"
    )


def _search(actor: Actor, text: str) -> Q:
    """By transfer id, device id in any spelling, or customer number or `USR_…` of either person."""
    found = Q(pk__in=Transfer.objects.named(text).values("pk"))
    found |= Q(device_id__in=Device.objects.named(text, actor.bank_id).values("pk"))
    found |= Q(old_owner__customer_number=text) | Q(new_owner__customer_number=text)
    if person := User.id_from(text):
        found |= Q(old_owner_id=person) | Q(new_owner_id=person)
    return found
