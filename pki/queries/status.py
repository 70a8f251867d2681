"""What the world is told of a serial, and how lists and answers are doing."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

from django.db import connection

from pki.models import Certificate, CertificateAuthority, OcspAnswer, OcspResponder
from pki.states import NEVER_ISSUED, is_good
from pki.x509.ocsp import GOOD, UNKNOWN, Status
from portal.core import clock

COLUMNS: Final = ("state", "not_after", "revoked_at", "revocation_reason")
# Times come as seconds of Unix time: to build dates that nobody asks for takes longer than to read the row.
_SECONDS: Final = {
    "sqlite": "CAST(strftime('%%s', {}) AS integer)",
    "postgresql": "CAST(floor(extract(epoch FROM {})) AS bigint)",
}
_STORED: Final = (
    "SELECT answer.der, {this_update}, {next_update}"  # noqa: S608  names of ours
    f" FROM {OcspAnswer._meta.db_table} answer"
    f" JOIN {Certificate._meta.db_table} certificate ON certificate.id = answer.certificate_id"
    " WHERE certificate.serial = %s AND certificate.authority_id = %s"
)
_AUTHORITY: Final = Certificate._meta.get_field("authority").target_field


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
        if self.state in NEVER_ISSUED:
            return UNKNOWN
        return GOOD if is_good(self.state, self.not_after, now) else None


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


type Stored = tuple[bytes, int, int]


def stored_answer(authority_id: UUID, serial: int, now: float) -> Stored | None:
    """The answer that was signed beforehand, from when and until when it is good in seconds of Unix time. One query.

    It is written out here: to put it together anew for each question takes four times as long as to ask it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_statement(), [f"{serial:040x}", _AUTHORITY.get_db_prep_value(authority_id, connection)])
        found = cursor.fetchone()
    if found is None or found[2] <= now:
        return None
    der, this_update, next_update = found
    return bytes(der), int(this_update), int(next_update)


@cache
def _statement() -> str:
    seconds = _SECONDS[connection.vendor]
    moments = {name: seconds.format(f"answer.{name}") for name in ("this_update", "next_update")}
    return _STORED.format(**moments)
