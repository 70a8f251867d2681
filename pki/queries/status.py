"""What the world is told of a serial, and how lists and answers are doing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from pki.models import Certificate, CertificateAuthority, OcspAnswer, OcspResponder
from pki.states import LIVE, CertificateState
from pki.x509.ocsp import GOOD, UNKNOWN, Status
from portal.core import clock

COLUMNS: Final = ("state", "not_after", "revoked_at", "revocation_reason")
_AUTHORITY: Final = CertificateAuthority._meta.pk
_STORED: Final = (
    f"SELECT answer.der, answer.this_update, answer.next_update FROM {OcspAnswer._meta.db_table} answer"  # noqa: S608  names of ours
    f" JOIN {Certificate._meta.db_table} certificate ON certificate.id = answer.certificate_id"
    " WHERE certificate.serial = %s AND certificate.authority_id = %s"
)


@dataclass(frozen=True)
class Known:
    """What the register says of one certificate at one moment."""

    state: str
    not_after: datetime
    revoked_at: datetime | None
    revocation_reason: str

    def status(self, now: datetime) -> Status | None:
        """What an OCSP answer says of it. None: no answer is due, as it ran out (RFC 5019 2.2.3).

        A serial that nothing was issued under, or not yet, is unknown: never good.
        """
        if self.revoked_at is not None:
            return Status("revoked", self.revoked_at, self.revocation_reason)
        if self.state in {CertificateState.SIGNING, CertificateState.ABORTED}:
            return UNKNOWN
        if self.state not in LIVE or self.not_after <= now:
            return None
        return GOOD


def known_of(certificate: Certificate) -> Known:
    return Known(*(getattr(certificate, name) for name in COLUMNS))


def status_of_serial(authority_id: UUID, serial: int) -> Status | None:
    """What is true of a serial of an authority. One query for certificates of devices, two more for all others."""
    text = f"{serial:040x}"
    row = Certificate.objects.filter(serial=text, authority_id=authority_id).values_list(*COLUMNS).first()
    if row is not None:
        return Known(*row).status(clock.now())
    if _is_ours(authority_id, text):
        return GOOD
    return UNKNOWN


def _is_ours(authority_id: UUID, serial: str) -> bool:
    """Authorities under a root, and an authority's own responders: they run out, nobody revokes them."""
    now = clock.now()
    below = CertificateAuthority.objects.filter(parent_id=authority_id, serial=serial, not_after__gt=now)
    responders = OcspResponder.objects.filter(authority_id=authority_id, serial=serial, not_after__gt=now)
    return below.exists() or responders.filter(der__isnull=False).exists()


def stored_answer(authority_id: UUID, serial: int, now: datetime) -> tuple[bytes, datetime, datetime] | None:
    """The answer that was signed beforehand, from when and until when it is good. One query.

    It is written out here: to put it together anew for each question takes four times as long as to ask it.
    """
    database = connections[DEFAULT_DB_ALIAS]  # once: each look-up of it takes a while
    with database.cursor() as cursor:
        cursor.execute(_STORED, [f"{serial:040x}", _AUTHORITY.get_db_prep_value(authority_id, database)])
        found = cursor.fetchone()
    if found is None:
        return None
    this_update, next_update = _moment(found[1]), _moment(found[2])
    return (bytes(found[0]), this_update, next_update) if next_update > now else None


def _moment(value: datetime) -> datetime:
    """SQLite keeps times in UTC and does not say so."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
