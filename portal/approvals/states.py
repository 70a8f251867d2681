"""The states of a request for a second person."""

from django.db.models import TextChoices


class RequestState(TextChoices):
    PENDING = "PENDING", "Waiting"  # a second person decides, its maker may withdraw it
    DONE = "DONE", "Carried out"  # approved, and done in the same transaction
    FAILED = "FAILED", "Not carried out"  # approved, but the operation refused; nothing was changed
    REJECTED = "REJECTED", "Rejected"
    EXPIRED = "EXPIRED", "Expired"
    WITHDRAWN = "WITHDRAWN", "Withdrawn"


DECIDED = (RequestState.DONE, RequestState.FAILED, RequestState.REJECTED)
