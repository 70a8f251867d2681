"""Reads about certificates: the inventory, one of them with what stands beside it, what runs out when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, Value
from django.db.models.fields import IntegerField

from devices.models import Device
from devices.states import Category
from pki import policies
from pki.models import BlockedKey, Certificate, CertificateAuthority, CertificateRequest
from pki.models.certificates import SERIAL_TAIL, CertificateQuerySet
from pki.states import ENDABLE, LIVE, NEVER_ISSUED, CertificateState
from pki.x509.serials import OCTETS
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25
WEEKS: Final = 54  # a year, and the rest of the week in which a certificate issued today for a year runs out
COUNTED_UP_TO: Final = 1000
STATES: Final = tuple(state for state in CertificateState if state not in NEVER_ISSUED)
_TAIL: Final = 8  # hex digits
_FINGERPRINT: Final = 64
_HEX: Final = re.compile("[0-9a-f]+")


@dataclass(frozen=True)
class CertificateFilter:
    """What a member of staff looks for. Empty texts do not filter.

    state: of `CertificateState`, "live" for both that are valid, or "unissued": reserved serials under which nothing
    is given out. since, until: the days (UTC, both ends included) on which it runs out.
    """

    q: str = ""
    state: str = ""
    since: date | None = None
    until: date | None = None


def certificate_page(actor: Actor, wanted: CertificateFilter, cursor: str | None = None) -> Page[Certificate]:
    """25 certificates a page, the newest first; those that run out in a range, the soonest first. One query.

    A cursor that cannot be read gives the first page. With a text to search for, two more queries.
    """
    rows = _narrowed(_readable(actor).select_related("device", "authority"), wanted)
    if text := wanted.q.strip():
        rows = rows.filter(pk__in=_search(actor, text))
    if wanted.since or wanted.until:
        return keyset_page(rows, cursor, fields=("not_after", "id"), size=PAGE_SIZE, ascending=True)
    moment = "reserved_at" if wanted.state == "unissued" else "issued_at"
    return keyset_page(rows, cursor, fields=(moment, "id"), size=PAGE_SIZE)


def get_certificate(actor: Actor, certificate_id: str) -> Certificate:
    """The certificate that `CERT_…` names, with its device, authority and request. Raises NotFound."""
    related = ("device__owner", "authority__parent", "request", "replaces")
    found = _readable(actor).select_related(*related).named(certificate_id).first()
    if found is None:
        raise NotFound("There is no such certificate.")
    return found


@dataclass(frozen=True)
class CountUpTo:
    """Counted up to 1,000; `more` says that there are more than that."""

    number: int
    more: bool


def count_by_state(actor: Actor) -> dict[str, CountUpTo]:
    """How many of the bank's certificates are in each state, or "live": one query each, however many there are."""
    rows = _readable(actor).order_by()
    states = {"live": LIVE, **{state.value: (state,) for state in STATES if state != CertificateState.ACTIVE}}
    counted = {name: rows.filter(state__in=those)[: COUNTED_UP_TO + 1].count() for name, those in states.items()}
    return {name: CountUpTo(min(n, COUNTED_UP_TO), n > COUNTED_UP_TO) for name, n in counted.items()}


@dataclass(frozen=True)
class Week:
    """Live certificates that run out in the seven days from a Monday (UTC)."""

    monday: date
    count: int


def expiries_by_week(actor: Actor) -> list[Week]:
    """Live certificates by the week in which they run out: this one and the 53 after it. One query."""
    live = _readable(actor).filter(state__in=LIVE).order_by()
    today = clock.now().date()
    first = today - timedelta(days=today.weekday())
    mondays = [first + timedelta(weeks=number) for number in range(WEEKS)]
    # One index range a week: counted from the index alone, where a GROUP BY would read each row.
    counts = [
        live.filter(not_after__gte=_midnight(monday), not_after__lt=_midnight(monday + timedelta(weeks=1)))
        .annotate(week=Value(number, IntegerField()))
        .values_list("week")
        .annotate(certificates=Count("pk"))
        for number, monday in enumerate(mondays)
    ]
    found: dict[int, int] = dict(counts[0].union(*counts[1:], all=True))
    return [Week(monday, found.get(number, 0)) for number, monday in enumerate(mondays)]


def certificates_of(actor: Actor, device: Device, *, most: int = 10) -> list[Certificate]:
    """A device's certificates, the newest first. Cards and tokens have none. One query."""
    if device.category != Category.OWNED:
        return []
    rows = _readable(actor).filter(device_id=device.pk, issued_at__isnull=False)
    return list(rows.order_by("-issued_at")[:most])


def live_certificates(actor: Actor, devices: Sequence[UUID]) -> dict[UUID, Certificate]:
    """The certificate in use of each device that has one, for a list of devices. One query."""
    rows = _readable(actor).filter(device_id__in=devices, state__in=ENDABLE).order_by("issued_at")
    return {row.device_id: row for row in rows.defer("der")}


def successor_of(certificate: Certificate) -> Certificate | None:
    """The certificate that took over from this one. One query."""
    return certificate.replaced_by.filter(issued_at__isnull=False).order_by("issued_at").first()


CERTIFICATE_PAPERS: Final = ("certificate", "certificaterequest")
NEWEST: Final = 40


def certificate_papers(device: Device) -> list[UUID]:
    """The newest certificates and requests of a device, for its story. One query."""
    certificates = Certificate.objects.issued().filter(device=device).values_list("pk", "issued_at")
    requests = CertificateRequest.objects.filter(device=device).values_list("pk", "created_at")
    newest = certificates.order_by().union(requests.order_by(), all=True).order_by("-issued_at")
    return [key for key, _ in newest[:NEWEST]]


def chain_of(certificate: Certificate) -> list[CertificateAuthority]:
    """The authorities above a certificate, the issuing one first."""
    above = certificate.authority.parent
    return [certificate.authority] if above is None else [certificate.authority, above]


@dataclass(frozen=True)
class BlockedRow:
    """A blocked key, and this bank's certificates that had it. reason: "" where it was another bank's key."""

    fingerprint: str
    reason: str
    blocked_at: datetime
    certificates: tuple[Certificate, ...]


def blocked_key_page(actor: Actor, text: str = "", cursor: str | None = None) -> Page[BlockedRow]:
    """This bank's keys that nobody may use again, 25 a page, the newest first. Two queries.

    text: the beginning of a fingerprint. A whole one finds any key: keys are blocked for all banks, so that whoever
    was refused one may learn that it is blocked, and no more than that.
    """
    bank = _readable(actor)
    digits = _digits(text)
    rows = BlockedKey.objects.filter(fingerprint__startswith=digits)
    if len(digits) != _FINGERPRINT:
        rows = rows.filter(Exists(bank.filter(key_fingerprint=OuterRef("fingerprint"))))
    page = keyset_page(rows, cursor, fields=("blocked_at", "id"), size=PAGE_SIZE)
    had: dict[str, list[Certificate]] = {}
    found = bank.filter(key_fingerprint__in=[key.fingerprint for key in page.items]).select_related("device")
    for certificate in found.defer("der").order_by("-reserved_at"):
        had.setdefault(certificate.key_fingerprint, []).append(certificate)
    items = tuple(_blocked(key, had.get(key.fingerprint, [])) for key in page.items)
    return Page(items, page.next_cursor, page.previous_cursor)


def _blocked(key: BlockedKey, certificates: list[Certificate]) -> BlockedRow:
    reason = key.reason if certificates else ""
    return BlockedRow(key.fingerprint, reason, key.blocked_at, tuple(certificates))


def is_blocked(fingerprint: str) -> bool:
    """Whether a key may never be used again. One query."""
    return BlockedKey.objects.has(fingerprint)


def _readable(actor: Actor) -> CertificateQuerySet:
    policies.require_read(actor)
    return Certificate.objects.visible_to(actor)


def _narrowed(rows: CertificateQuerySet, wanted: CertificateFilter) -> CertificateQuerySet:
    if wanted.state == "unissued":
        rows = rows.filter(state__in=NEVER_ISSUED)
    elif wanted.state == "live":
        rows = rows.filter(state__in=LIVE)
    elif wanted.state in STATES:
        rows = rows.filter(state=wanted.state)
    else:
        rows = rows.filter(issued_at__isnull=False)
    if wanted.since:
        rows = rows.filter(not_after__gte=_midnight(wanted.since))
    if wanted.until:
        rows = rows.filter(not_after__lt=_midnight(wanted.until + timedelta(days=1)))
    return rows


def _search(actor: Actor, text: str) -> list[UUID]:
    """By certificate id, serial (whole, or its last eight digits), key, or device id in any spelling.

    Found before they are put in order: a database that reads in order instead reads all there are for a text that
    nobody knows. Devices are looked up first: with plain values on every side, the indexes are used together.
    """
    devices = Device.objects.visible_to(actor).named(text, actor.bank_id).order_by().values_list("pk", flat=True)
    found = Q(device_id__in=list(devices[:PAGE_SIZE]))
    if certificate_id := CertificateQuerySet.id_from(text):
        found |= Q(pk=certificate_id)
    digits = _digits(text)
    if len(digits) == _TAIL:
        found |= Q(serial_tail=digits)
    elif _TAIL < len(digits) <= 2 * OCTETS:
        found |= Q(serial=digits.zfill(2 * OCTETS))
    elif len(digits) == _FINGERPRINT:
        found |= Q(key_fingerprint=digits)
    rows = _readable(actor).alias(serial_tail=SERIAL_TAIL).filter(found).order_by()
    return list(rows.values_list("pk", flat=True)[:COUNTED_UP_TO])


def _digits(text: str) -> str:
    """The hex digits of a serial or fingerprint, with colons, spaces and dots left out; "" for another text."""
    digits = re.sub(r"[\s:….]", "", text).lower()
    return digits if _HEX.fullmatch(digits) else ""


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
