"""Delegated OCSP responders: short-lived certificates whose keys sign answers, so that the authority's key need not.

They carry id-pkix-ocsp-nocheck: nobody asks whether they are revoked, so they live for a month only.
"""

import logging
import secrets
import threading
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography import x509
from django.db import transaction

from pki.authority import issuer_of, signer_of
from pki.keystore.errors import KeyUnavailable
from pki.keystore.stores import make_signer
from pki.models import CertificateAuthority, OcspResponder
from pki.x509.building import issue, prepare
from pki.x509.keys_policy import describe_key
from pki.x509.linting import LintRefused
from pki.x509.ocsp import Responder
from pki.x509.orders import Order, Subject, validity
from pki.x509.profiles import RESPONDER
from pki.x509.serials import new_serial
from pki.x509.signing import Signer, public_key_of
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

KEY: Final = "p256"
LIFE: Final = timedelta(days=RESPONDER.days)
RENEWED_AT: Final = LIFE * 2 / 3
# What it signs is believed for a day: a responder with less than two days left signs nothing any more.
LEFT: Final = timedelta(days=2)

log = logging.getLogger(__name__)
_guard = threading.Lock()  # several threads that find none make one
_open: dict[UUID, tuple[Responder, datetime]] = {}


def responder_of(authority: CertificateAuthority) -> Responder:
    """Who answers for an authority now; made when there is none. Opened once a process.

    Not inside a transaction. Raises KeyUnavailable.
    """
    now = clock.now()
    known = _open.get(authority.pk)
    if known is not None and now < known[1]:
        return known[0]
    with _guard:
        row = newest(authority, now) or create_responder(authority)
        opened = _opened(authority, row)
        _open[authority.pk] = (opened, row.not_after - LEFT if row.not_after < authority.not_after else row.not_after)
    return opened


def newest(authority: CertificateAuthority, now: datetime) -> OcspResponder | None:
    """The one that was made last and has enough time left. One query."""
    enough = min(now + LEFT, authority.not_after - timedelta(seconds=1))  # none outlives its authority
    rows = OcspResponder.objects.filter(authority=authority, der__isnull=False, not_after__gt=max(now, enough))
    return rows.order_by("-not_before").first()


def renew_responders() -> int:
    """Make a new one for each authority whose newest is two thirds through its life; the sweep's work.

    Returns how many were made. Those that took over answer in other processes once their own is near its end.
    """
    now, made = clock.now(), 0
    for authority in CertificateAuthority.objects.answering().filter(not_after__gt=now):
        if not _is_due(authority, now):
            continue
        try:
            create_responder(authority)
        except (KeyUnavailable, LintRefused, ValueError):  # it keeps no other authority waiting
            log.exception("a responder could not be made", extra={"authority": str(authority.pk)})
            continue
        _open.pop(authority.pk, None)
        made += 1
    return made


def create_responder(authority: CertificateAuthority) -> OcspResponder:
    """Make a key and a certificate for it. Its serial is stored first. Raises KeyUnavailable, LintRefused."""
    name = f"ocsp-{secrets.token_hex(8)}"
    signer = make_signer(authority.keystore, name, KEY)
    row, order = _reserved(authority, name, signer)
    issued = issue(prepare(order, issuer_of(authority)), signer_of(authority))
    with transaction.atomic():
        row.der = issued.der
        row.save(update_fields=["der"])
        details = {"authority": str(authority.pk), "serial": row.serial}
        actor = Actor.system("pki.responders", bank_id=authority.bank_id)
        audit.record(actor, Event.RESPONDER_CREATED, authority, details=details)
    return row


def _reserved(authority: CertificateAuthority, name: str, signer: Signer) -> tuple[OcspResponder, Order]:
    key = describe_key(public_key_of(signer))
    assert key is not None  # noqa: S101  a kind of ours
    serial = new_serial()
    not_before, not_after = validity(clock.now(), RESPONDER.days)
    row = OcspResponder.objects.create(
        authority=authority,
        keystore=authority.keystore,
        key_name=name,
        serial=f"{serial:040x}",
        not_before=not_before,
        not_after=min(not_after, authority.not_after),
    )
    order = Order(
        profile=RESPONDER,
        key=key,
        subject=_subject(authority),
        serial=serial,
        not_before=row.not_before,
        not_after=row.not_after,
    )
    return row, order


def _subject(authority: CertificateAuthority) -> Subject:
    """In the authority's own country and organization."""
    said = x509.load_der_x509_certificate(bytes(authority.der)).subject

    def first(oid: x509.ObjectIdentifier) -> str:
        return str(said.get_attributes_for_oid(oid)[0].value)

    country, organization = first(x509.NameOID.COUNTRY_NAME), first(x509.NameOID.ORGANIZATION_NAME)
    return Subject(country, organization, f"{authority.name[:50]} responder")


def _opened(authority: CertificateAuthority, row: OcspResponder) -> Responder:
    assert row.der is not None  # noqa: S101  `newest` gives none without
    certificate = x509.load_der_x509_certificate(bytes(row.der))
    return Responder.of(certificate, signer_of(row), issuer_of(authority))


def _is_due(authority: CertificateAuthority, now: datetime) -> bool:
    found = newest(authority, now)
    if found is None:
        return True
    return found.not_before + RENEWED_AT <= now and found.not_after < authority.not_after
