"""How a device stands with certificates, read together with whatever else is read of it."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Case, Exists, Expression, OuterRef, QuerySet, Subquery, Value, When

from devices.states import CertificateStatus
from pki.models import Certificate, CertificateRequest
from pki.rotation_schedule import window_opens
from pki.states import REQUEST_OPEN, CertificateState, is_good
from portal.core import clock

_RANK: Final = {CertificateState.ACTIVE: 0, CertificateState.OVERLAP: 1, CertificateState.ON_HOLD: 2}
_FIELDS: Final = ("state", "not_before", "not_after")
_PREFIX: Final = "certificate_"


def standing() -> dict[str, Expression | Subquery | Exists]:
    """Annotations for a query on devices; `status_of` reads them."""
    wanted = {f"{_PREFIX}{field}": Subquery(_foremost().values(field)[:1]) for field in _FIELDS}
    waiting = CertificateRequest.objects.filter(device=OuterRef("pk"), state__in=REQUEST_OPEN)
    return {**wanted, f"{_PREFIX}asked": Exists(waiting)}


def status_of(row: Mapping[str, Any]) -> CertificateStatus:
    """The word for a device, from a row with `standing`: of its good certificate, else of what was last."""
    state, begins, ends, asked = (row[f"{_PREFIX}{name}"] for name in (*_FIELDS, "asked"))
    now = clock.now()
    if state is not None and is_good(state, ends, now):
        return CertificateStatus.EXPIRING if now >= window_opens(begins, ends) else CertificateStatus.VALID
    if state == CertificateState.ON_HOLD and now < ends:
        return CertificateStatus.ON_HOLD
    if asked:
        return CertificateStatus.PENDING
    if state is None:
        return CertificateStatus.NONE
    return CertificateStatus.REVOKED if state == CertificateState.REVOKED else CertificateStatus.EXPIRED


def _foremost() -> QuerySet[Certificate]:
    """A device's certificates, the one that counts first."""
    rank = Case(*(When(state=state, then=Value(place)) for state, place in _RANK.items()), default=Value(len(_RANK)))
    return Certificate.objects.issued().filter(device=OuterRef("pk")).order_by(rank, "-issued_at")
