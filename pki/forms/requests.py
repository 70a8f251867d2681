"""Forms about certificate requests. They clean input; what is allowed, the operations say."""

from typing import Final

from django import forms

from pki.queries.requests import RequestFilter
from portal.web.forms import CodeForm, Data, PortalForm, WithReason, reason_field, search_field

MOST_DAYS: Final = 9999
SIGN: Final = "sign"
REJECT: Final = "reject"


class RequestSearchForm(PortalForm):
    """What to look for. The state is a tab and comes as a hidden field, so that a search keeps it."""

    q = search_field("Request or device id, customer number")
    state = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput())

    def wanted(self) -> RequestFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        return RequestFilter(**{name: self.cleaned_data.get(name, "") for name in self.fields})


class SignForm(CodeForm, WithReason):
    """A decision with its reason and a fresh second factor. Whatever is neither word decides nothing."""

    decision = forms.ChoiceField(
        choices=[(SIGN, "Sign"), (REJECT, "Reject")],
        widget=forms.HiddenInput(),
        error_messages={"required": "Choose: sign or reject.", "invalid_choice": "Choose: sign or reject."},
    )
    days = forms.IntegerField(
        label="Days",
        required=False,
        max_value=MOST_DAYS,
        help_text="How long it is valid. Left empty: what its profile gives.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "min": 1}),
    )
    reason = reason_field("Needed to reject. It is kept in the audit log.", needed=False, rows=2)
    field_order = ("days", "reason", "code")

    def __init__(self, data: Data = None) -> None:
        super().__init__(data, backup=True)
