"""What staff found when they looked at an alert."""

from django.db import models

from twofa.models.requests import TwoFactorRequest


class AlertReview(models.Model):
    """Somebody looked at a request's alert and wrote down what they found.

    reviewed_by: who, as text, which outlives the account. An alert that comes later than `reviewed_at` is open again.
    """

    request = models.OneToOneField(
        TwoFactorRequest, on_delete=models.PROTECT, primary_key=True, related_name="review"
    )
    reviewed_by = models.CharField(max_length=200)
    note = models.CharField(max_length=500)
    reviewed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"review of {self.request_id}"
