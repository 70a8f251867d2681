"""Signing what two people allowed: a worker's task, and the sweep that does what no worker heard of."""

import logging
from datetime import timedelta
from typing import Final

from django.db import transaction

from pki.models import Certificate, CertificateRequest
from pki.operations import issuance
from pki.operations.request_steps import lock_request, record, require_active
from pki.operations.signing_terms import allowed_by, reserve_serial, terms_of
from pki.states import RequestState
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import DomainError, NotFound

LEFT_BEHIND: Final = timedelta(seconds=30)  # then the sweep does what no worker heard of
AT_ONCE: Final = 100  # of one sweep

log = logging.getLogger(__name__)


def issue_ready(request_id: str) -> Certificate | None:
    """Sign what two people allowed. A request that is not READY (any more) is left alone; a worker's task."""
    row = CertificateRequest.objects.filter(pk=request_id, state=RequestState.READY).first()
    if row is None:
        return None
    actor = Actor.system("pki.issue", bank_id=row.bank_id)
    try:
        with transaction.atomic():
            request = lock_request(CertificateRequest.objects.filter(state=RequestState.READY), row.public_id)
            terms = terms_of(request, allowed_by(request))
            require_active(request.device)
            reserved = reserve_serial(actor, request, terms)
    except NotFound:  # another worker was faster
        return None
    except DomainError as refusal:
        _wait_for_a_person(actor, row, refusal)
        return None
    return issuance.make(actor, reserved)


def sweep() -> int:
    """Settle what crashes left, and sign what no worker heard of. Returns how many serials were given up."""
    settled = issuance.settle()
    ready = CertificateRequest.objects.filter(
        state=RequestState.READY, decided_at__lt=clock.now() - LEFT_BEHIND
    ).order_by("decided_at")
    for request_id in ready.values_list("pk", flat=True)[:AT_ONCE]:
        try:
            issue_ready(str(request_id))
        except DomainError as error:
            log.warning("an allowed request was not signed", extra={"csr": str(request_id), "code": error.code})
        except Exception:  # one that breaks something does not stop the others
            log.exception("an allowed request was not signed", extra={"csr": str(request_id)})
    return settled


@transaction.atomic
def _wait_for_a_person(actor: Actor, row: CertificateRequest, refusal: DomainError) -> None:
    """What was allowed cannot be signed now: it waits for a decision again, and says why."""
    request = CertificateRequest.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if request.state != RequestState.READY:
        return
    before = request.move_to(RequestState.PENDING)
    issuance.forget_decision(request)
    record(actor, Event.CSR_RETURNED, request, before, f"{refusal.message} ({refusal.code})"[:500])
