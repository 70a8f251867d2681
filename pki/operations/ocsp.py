"""OCSP answers: signed beforehand for those who send no nonce, and on the spot for those who do.

A stored answer is deleted in the transaction that changes what it says. One that was signed before such a change and
comes to be stored after it is thrown away: the certificate's row is locked, and has to say what was signed.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from pki.authority import issuer_of
from pki.keystore.errors import KeyUnavailable
from pki.models import Certificate, CertificateAuthority, OcspAnswer
from pki.operations.responders import responder_of
from pki.queries.status import known_of, status_of_serial
from pki.states import ANSWERED
from pki.x509.linting import LintRefused
from pki.x509.ocsp import TRY_LATER, UNAUTHORIZED, UNKNOWN, Responder, Status, build_answer
from pki.x509.ocsp_requests import OcspRequest, certificate_id
from portal.core import clock

VALID: Final = timedelta(hours=24)  # as long as a CRL
REFRESHED_AT: Final = VALID / 2  # half of its life is left for a refresh that fails at first
BATCH: Final = 200
_BATCHES: Final = 50  # in one sweep: a million certificates are through in less than half a day

log = logging.getLogger(__name__)
# Signing takes a processor: whoever sends nonces leaves half of the threads to everybody else.
_signing = BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


def sign_now(authority: CertificateAuthority, request: OcspRequest) -> tuple[bytes, datetime | None]:
    """An answer to this very request, and until when others may be given it: None for nobody else.

    Not inside a transaction. `tryLater` when too many are being signed or the key store does not answer,
    `unauthorized` of what has run out (RFC 5019 2.2.3).
    """
    if authority.not_after <= clock.now():
        return UNAUTHORIZED, None
    if not _signing.acquire(blocking=False):
        return TRY_LATER, None
    try:
        return _sign_now(authority, request)
    except (KeyUnavailable, LintRefused, ValueError):
        log.exception("a responder did not sign", extra={"authority": authority.name})
        return TRY_LATER, None
    finally:
        _signing.release()


def _sign_now(authority: CertificateAuthority, request: OcspRequest) -> tuple[bytes, datetime | None]:
    responder = responder_of(authority)
    now = clock.now()
    status = status_of_serial(authority.pk, request.certificate.serial)
    if status is None:
        return UNAUTHORIZED, None
    until = now + VALID
    der = build_answer(
        request.certificate,
        status,
        this_update=now,
        next_update=until,
        responder=responder,
        nonce=request.nonce,
    )
    return der, None if request.nonce is not None or status == UNKNOWN else until


def presign(certificate_ids: Sequence[UUID]) -> int:
    """Sign and store answers for these certificates; those that are none, or ran out, get none. Returns how many.

    Not inside a transaction.
    """
    now = clock.now()  # before the status is read: an answer is never younger than what it says
    rows = Certificate.objects.filter(pk__in=certificate_ids).select_related("authority").defer("der")
    made: dict[UUID, tuple[Status, OcspAnswer]] = {}
    responders: dict[UUID, Responder | None] = {}
    for certificate in rows:
        status = known_of(certificate).status(now)
        responder = _responder(certificate.authority, responders)
        if status is not None and status != UNKNOWN and responder is not None:
            made[certificate.pk] = (status, _answer(certificate, status, responder, now))
    return _store(made, now) if made else 0


def refresh() -> int:
    """Sign anew what is through half of its life, and what is missing; the sweep's work. Returns how many."""
    stored = 0
    for _ in range(_BATCHES):
        due = _due(clock.now())
        stored += presign(due)
        if len(due) < BATCH:
            break
    return stored


def forget_over() -> int:
    """Delete answers of certificates that ran out. Returns how many; a bounded number."""
    now = clock.now()
    over = OcspAnswer.objects.filter(next_update__lte=now, certificate__not_after__lte=now)
    return OcspAnswer.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:2000])).delete()[0]


def _due(now: datetime) -> list[UUID]:
    alive = Certificate.objects.filter(state__in=ANSWERED, not_after__gt=now)
    old = alive.filter(ocsp_answer__next_update__lt=now + VALID - REFRESHED_AT)
    keys = list(old.order_by("ocsp_answer__next_update").values_list("pk", flat=True)[:BATCH])
    if len(keys) < BATCH:
        keys += alive.filter(ocsp_answer__isnull=True).values_list("pk", flat=True)[: BATCH - len(keys)]
    return keys


def _responder(authority: CertificateAuthority, known: dict[UUID, Responder | None]) -> Responder | None:
    if authority.pk not in known:
        try:
            known[authority.pk] = responder_of(authority)
        except KeyUnavailable:
            log.exception("an authority has no responder", extra={"authority": authority.name})
            known[authority.pk] = None
    return known[authority.pk]


def _answer(certificate: Certificate, status: Status, responder: Responder, now: datetime) -> OcspAnswer:
    until = min(now + VALID, max(certificate.not_after, now + timedelta(minutes=1)))
    about = certificate_id(issuer_of(certificate.authority), int(certificate.serial, 16))
    der = build_answer(about, status, this_update=now, next_update=until, responder=responder)
    return OcspAnswer(certificate=certificate, der=der, this_update=now, next_update=until)


@transaction.atomic
def _store(made: dict[UUID, tuple[Status, OcspAnswer]], now: datetime) -> int:
    """Store what is still true. A row that somebody else holds is being changed: its change rings again."""
    rows = Certificate.objects.select_for_update(of=("self",), skip_locked=True).filter(pk__in=made).defer("der")
    still = [made[row.pk][1] for row in rows if known_of(row).status(now) == made[row.pk][0]]
    OcspAnswer.objects.bulk_create(
        still,
        update_conflicts=True,
        unique_fields=["certificate"],
        update_fields=["der", "this_update", "next_update"],
    )
    return len(still)
