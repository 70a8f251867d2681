"""The words of two-factor requests, and which states may follow which."""

from collections.abc import Mapping

from django.db.models import TextChoices


class RequestState(TextChoices):
    PENDING = "pending", "Waiting"  # past `expires_at` nobody can answer it any more; the sweep closes it
    APPROVED = "approved", "Approved"
    DENIED = "denied", "Denied"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"  # its device went out of use, or too many wrong numbers were typed


TRANSITIONS: Mapping[str, frozenset[str]] = {
    RequestState.PENDING: frozenset(
        {RequestState.APPROVED, RequestState.DENIED, RequestState.EXPIRED, RequestState.CANCELLED}
    ),
    RequestState.APPROVED: frozenset(),
    RequestState.DENIED: frozenset(),
    RequestState.EXPIRED: frozenset(),
    RequestState.CANCELLED: frozenset(),
}


class Decision(TextChoices):
    APPROVED = "approved", "Approved"
    DENIED = "denied", "Denied"


class Proof(TextChoices):
    """What an answer rests on."""

    SIGNATURE = "signature", "Signed by the device's key"
    TRANSACTION_ID = "transaction-id", "Not signed: a transaction id"
    TOKEN = "token", "The device's token"  # a denial has nothing to sign
