"""What the world is told of a serial, and how lists and answers are doing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from pki.models import Certificate, CertificateAuthority, OcspAnswer, OcspResponder
from pki.states import NEVER_ISSUED, is_good
from pki.x509.ocsp import GOOD, UNKNOWN, Status
from portal.core import clock

COLUMNS: Final = ("state", "not_after", "revoked_at", "revocation_reason")
_TABLES: Final = (
    f" FROM {OcspAnswer._meta.db_table} answer"
    f" JOIN {Certificate._meta.db_table} certificate ON certificate.id = answer.certificate_id"
)
_SQLITE: Final = (
    "SELECT answer.der, unixepoch(answer.this_update), unixepoch(answer.next_update)"
    f"{_TABLES} WHERE certificate.serial = ? AND certificate.authority_id = ?"
)
_POSTGRES: Final = (
    "SELECT answer.der, floor(extract(epoch FROM answer.this_update))::bigint,"  # noqa: S608  names of ours
    " floor(extract(epoch FROM answer.next_update))::bigint"
    f"{_TABLES} WHERE certificate.serial = $1 AND certificate.authority_id = $2"
).encode()
_TUPLES_OK: Final = 2  # as libpq numbers what a query came to
_BINARY: Final = 1  # libpq's name for it: the answer comes as it is stored, not in hexadecimal digits


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

    It goes past Django's cursor and past the dates that nobody asks for: to build those takes several times as long
    as to read the row. Raises what Django's cursor raises.
    """
    database = connections[DEFAULT_DB_ALIAS]  # once: each look-up of it takes a while
    read = _read_postgres if database.vendor == "postgresql" else _read_sqlite
    with database.wrap_database_errors:
        found = read(database, f"{serial:040x}", authority_id.hex)
    return found if found is not None and found[2] > now else None


def _read_sqlite(database: BaseDatabaseWrapper, serial: str, authority: str) -> Stored | None:
    database.ensure_connection()
    found: Stored | None = database.connection.execute(_SQLITE, (serial, authority)).fetchone()
    return found


def _read_postgres(database: BaseDatabaseWrapper, serial: str, authority: str) -> Stored | None:
    """A request without a connection borrows one for this row alone: to make it Django's costs more than to read."""
    pool = getattr(database, "pool", None) if database.connection is None else None
    if pool is None:
        database.ensure_connection()
        return _fetch(database.connection.pgconn, serial, authority)
    pool.open()  # does nothing when it is open
    connection = pool.getconn()
    try:
        return _fetch(connection.pgconn, serial, authority)
    finally:
        pool.putconn(connection)


def _fetch(connection: Any, serial: str, authority: str) -> Stored | None:
    result = connection.exec_params(_POSTGRES, [serial.encode(), authority.encode()], result_format=_BINARY)
    if result.status != _TUPLES_OK:
        raise OperationalError(result.error_message.decode(errors="replace"))
    if not result.ntuples:
        return None
    der, this_update, next_update = (result.get_value(0, column) for column in range(3))
    return der, int.from_bytes(this_update), int.from_bytes(next_update)
