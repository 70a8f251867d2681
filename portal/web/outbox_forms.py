"""Forms of the outbox's pages."""

from django import forms

from portal.core.texts import LONGEST_REASON
from portal.web.forms import PortalForm


class ResendForm(PortalForm):
    """Why a message is sent again. The operation asks for it; the browser's own check only saves a round trip."""

    reason = forms.CharField(
        label="Reason",
        required=False,
        strip=True,
        help_text="It is kept in the audit log.",
        widget=forms.TextInput(attrs={"required": True, "maxlength": LONGEST_REASON, "autocomplete": "off"}),
    )
