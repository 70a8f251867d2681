"""Reads about customers and everything that is theirs, each in a fixed number of queries."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Case, Count, Q, When

from devices import policies
from devices.models import Device, Fingerprint, Transfer
from devices.queries.fingerprints import fingerprints_of_customer
from devices.queries.issued import with_card_status
from devices.states import DeviceStatus
from pki.models import Certificate
from pki.queries.certificates import live_certificates
from portal.accounts.models import AccessToken, User
from portal.accounts.models.people import UserQuerySet
from portal.approvals.models import ApprovalRequest
from portal.audit.models import AuditEvent
from portal.audit.queries import timeline_of_all
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25
MOST: Final = 50  # of each kind on one screen; there is a list for the rest
EVENTS: Final = 30


@dataclass(frozen=True)
class CustomerRow:
    """A customer, with how many devices and cards in use are theirs."""

    customer: User
    in_use: int


def customer_page(actor: Actor, text: str = "", cursor: str | None = None) -> Page[CustomerRow]:
    """25 customers of the bank to a page, the newest first, in two queries.

    text: the beginning of a customer number or of any of the names, or `USR_…`. A cursor that cannot be read gives
    the first page. Raises Forbidden.
    """
    people = _readable(actor)
    if text := text.strip():
        people = people.filter(_search(text))
    page = keyset_page(people, cursor, fields=("created_at", "id"), size=PAGE_SIZE)
    counts = _counts([person.pk for person in page.items])
    rows = tuple(CustomerRow(person, counts[person.pk]) for person in page.items)
    return Page(rows, page.next_cursor, page.previous_cursor)


def get_customer(actor: Actor, customer_id: UUID) -> User:
    """A customer of the bank. Raises Forbidden, NotFound."""
    person = _readable(actor).filter(pk=customer_id).first()
    if person is None:
        raise NotFound("There is no such customer.")
    return person


@dataclass(frozen=True)
class Holdings:
    """Everything of one customer that a screen shows.

    devices: those in use first, then the newest, each with `card_status`; `more` says that there are more of them.
    certificates: the one in use, by device. sessions: live ones, by device. requests: what waits for a second person
    at the devices. events: what happened to them and to the customer's own data, newest first.
    """

    devices: Sequence[Device]
    more: bool
    certificates: Mapping[UUID, Certificate]
    sessions: Counter[UUID]
    fingerprints: Sequence[Fingerprint]
    transfers: Sequence[Transfer]
    requests: Sequence[ApprovalRequest]
    events: Sequence[AuditEvent]


def holdings_of(actor: Actor, customer: User) -> Holdings:
    """What a customer has, in seven queries however much it is. Raises Forbidden."""
    policies.read(actor).require()
    found = _devices(actor, customer)
    devices = found[:MOST]
    keys = [device.pk for device in devices]
    return Holdings(
        devices=devices,
        more=len(found) > MOST,
        certificates=live_certificates(actor, keys),
        sessions=_sessions(keys),
        fingerprints=fingerprints_of_customer(actor, customer),
        transfers=_transfers(actor, customer),
        requests=_requests(actor, keys),
        events=_events([customer.pk, *keys]),
    )


def _readable(actor: Actor) -> UserQuerySet:
    policies.read(actor).require()
    return User.objects.visible_to(actor).customers()


def _search(text: str) -> Q:
    found = Q(customer_number__startswith=text) | Q(name__istartswith=text) | Q(name__icontains=f" {text}")
    if person := User.id_from(text):
        found |= Q(pk=person)
    return found


def _counts(people: Sequence[UUID]) -> Counter[UUID]:
    rows = Device.objects.in_use().filter(owner_id__in=people).order_by().values("owner_id").annotate(n=Count("pk"))
    return Counter({row["owner_id"]: row["n"] for row in rows})


def _devices(actor: Actor, customer: User) -> list[Device]:
    in_use_first = Case(When(status=DeviceStatus.RETIRED, then=1), default=0)
    found = Device.objects.visible_to(actor).filter(owner=customer).select_related("owner", "issued", "pin")
    return list(with_card_status(found).order_by(in_use_first, "-registered_at", "-id")[: MOST + 1])


def _sessions(devices: Sequence[UUID]) -> Counter[UUID]:
    rows = AccessToken.objects.live().filter(device_id__in=devices).order_by().values("device_id")
    return Counter({row["device_id"]: row["n"] for row in rows.annotate(n=Count("pk"))})


def _transfers(actor: Actor, customer: User) -> list[Transfer]:
    mine = Q(old_owner=customer) | Q(new_owner=customer)
    found = Transfer.objects.visible_to(actor).filter(mine).select_related("device", "old_owner", "new_owner")
    return list(found.order_by("-requested_at", "-id")[:MOST])


def _requests(actor: Actor, devices: Sequence[UUID]) -> list[ApprovalRequest]:
    """For who may look at requests."""
    if not actor.can("approvals.read"):
        return []
    found = ApprovalRequest.objects.visible_to(actor).open().filter(object_type="device")
    return list(found.filter(object_id__in=[str(key) for key in devices]).order_by("-created_at")[:MOST])


def _events(objects: Sequence[UUID]) -> list[AuditEvent]:
    return list(timeline_of_all(["device", "user"], objects)[:EVENTS])
