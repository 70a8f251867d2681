"""Reads about certificate requests: the queue, one request with its certificate, a device's standing."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from devices.models import Device
from pki import policies
from pki.models import Certificate, CertificateRequest
from pki.models.requests import CertificateRequestQuerySet
from pki.states import RequestState
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
class RequestFilter:
    """What a member of staff looks for. Empty texts do not filter."""

    q: str = ""
    state: str = ""


def get_request(actor: Actor, csr_id: str) -> CertificateRequest:
    """The request that `CSR_…` names, with its device and who decided. Raises NotFound."""
    rows = _readable(actor)
    if actor.is_customer and actor.device_id is not None:  # a bound token is told nothing about other devices
        rows = rows.filter(device_id=actor.device_id)
    request = rows.named(csr_id).first()
    if request is None:
        raise NotFound("There is no such request.")
    return request


def certificate_of(request: CertificateRequest) -> Certificate | None:
    """The certificate that a request led to, with its authority; None before it is issued. One query."""
    issued = Certificate.objects.issued().filter(request=request)
    return issued.select_related("authority").order_by("-issued_at").first()


def good_certificate_of(request: CertificateRequest) -> Certificate | None:
    """The certificate that a request led to, while that is good. One query at most."""
    certificate = certificate_of(request) if request.state == RequestState.ISSUED else None
    return certificate if certificate is not None and certificate.is_live(clock.now()) else None


def request_with_der(actor: Actor, device_id: UUID, der: bytes) -> CertificateRequest | None:
    """The newest request of a device that is, byte by byte, this one: what a client that asks again means."""
    rows = CertificateRequest.objects.visible_to(actor).filter(device_id=device_id, der=der)
    return rows.order_by("-created_at").first()


def request_page(actor: Actor, wanted: RequestFilter, cursor: str | None = None) -> Page[CertificateRequest]:
    """25 requests a page, newest first. A cursor that cannot be read gives the first page. One query."""
    rows = _readable(actor)
    if wanted.state in RequestState.values:
        rows = rows.filter(state=wanted.state)
    if text := wanted.q.strip():
        rows = rows.filter(_search(actor, text))
    return keyset_page(rows.defer("der", "key_sealed"), cursor, fields=("created_at", "id"), size=PAGE_SIZE)


def count_by_state(actor: Actor) -> dict[RequestState, int]:
    """How many requests of the bank are in each state. One query."""
    policies.require_read(actor)
    rows = CertificateRequest.objects.visible_to(actor).order_by().values("state").annotate(n=Count("pk"))
    counts = {row["state"]: row["n"] for row in rows}
    return {state: counts.get(state.value, 0) for state in RequestState}


def waiting_for(actor: Actor) -> int:
    """How many requests wait for this person's decision: none for who may not decide. One query at most."""
    if not policies.may_sign(actor):
        return 0
    rows = CertificateRequest.objects.visible_to(actor).filter(state=RequestState.PENDING, expires_at__gt=clock.now())
    return rows.filter(Q(maker_user=None) | ~Q(maker_user_id=actor.user_id)).count()


def story_of(request: CertificateRequest) -> list[AuditEvent]:
    """What happened to a request, newest first. The caller has checked that it may be seen."""
    return list(timeline_of(str(request._meta.model_name), request.pk))


def _readable(actor: Actor) -> CertificateRequestQuerySet:
    policies.require_read(actor)
    return CertificateRequest.objects.visible_to(actor).select_related("device", "device__owner", "decided_by")


def _search(actor: Actor, text: str) -> Q:
    """By request id, device id in any spelling, customer number or `USR_…`, or a key's fingerprint."""
    found = Q(pk__in=CertificateRequest.objects.named(text).values("pk"))
    found |= Q(device_id__in=Device.objects.named(text, actor.bank_id).values("pk"))
    found |= Q(device__owner__customer_number=text) | Q(key_fingerprint=text.lower().replace(":", ""))
    if person := User.id_from(text):
        found |= Q(device__owner_id=person)
    return found
