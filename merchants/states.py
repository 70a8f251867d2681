"""The states of links, and what alerts are about."""

from django.db.models import TextChoices


class EndReason(TextChoices):
    """Why a link ended."""

    CUT = "cut", "Cut by the bank"
    LOST = "lost", "The device was reported lost"
    RETIRED = "retired", "The device was unregistered"
    MOVED = "moved", "The device changed hands"


class AlertKind(TextChoices):
    """What a merchant did that its customers would not."""

    BUDGET = "budget", "Missed too often"
    MISS_RATIO = "miss-ratio", "Missed more than it found"
    SEQUENCE = "sequence", "Tried ids one after the other"
