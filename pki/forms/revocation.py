"""Forms for ending certificates. They clean input; what is allowed, the operations say."""

from django import forms

from pki.operations.revocation import CAUSES
from portal.web.forms import WithReason, reason_field


class StepForm(WithReason):
    """Why a certificate is put on hold or released."""

    reason = reason_field("It is kept in the audit log and shown in the certificate's timeline.")


class RevokeForm(StepForm):
    """What happened, and the same in words."""

    cause = forms.ChoiceField(
        label="Cause",
        choices=[("", "Choose"), *((cause.value, cause.label) for cause in CAUSES)],
        help_text="The world sees it, in the list and in OCSP answers.",
    )
    field_order = ("cause", "reason")
