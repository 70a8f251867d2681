"""Forms of the log and of one request. They clean input; what is allowed, the operations say."""

from collections.abc import Sequence

from django import forms

from portal.web.forms import Data, PortalForm, WithReason, reason_field, search_field
from twofa.queries.log import RequestFilter

KINDS = {"": "Any", "sign-in": "Sign-in", "payment": "Payment", "device-transfer": "Device transfer"}
DAY = {"type": "date"}


class RequestSearchForm(PortalForm):
    """What to look for. Words that no choice knows do not filter."""

    q = search_field("An id, or a customer number")
    kind = forms.ChoiceField(label="Asked for", required=False, choices=list(KINDS.items()))
    client = forms.ChoiceField(label="By", required=False)
    since = forms.DateField(label="From day (UTC)", required=False, widget=forms.DateInput(attrs=DAY))
    until = forms.DateField(label="To day (UTC)", required=False, widget=forms.DateInput(attrs=DAY))
    state = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def __init__(self, data: Data = None, *, clients: Sequence[tuple[str, str]]) -> None:
        super().__init__(data)
        choice = self.fields["client"]
        assert isinstance(choice, forms.ChoiceField)  # noqa: S101  for the type checker
        choice.choices = [("", "Any"), *clients]

    def wanted(self) -> RequestFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        return RequestFilter(**{name: self.cleaned_data[name] for name in self.fields if name in self.cleaned_data})

    def kept(self) -> dict[str, str]:
        """What narrows the list, but for the state: the tabs keep it."""
        found = {name: self.cleaned_data.get(name) for name in self.fields if name != "state"}
        return {name: str(value) for name, value in found.items() if value}


class ReviewForm(WithReason):
    """What somebody found who looked at an alert."""

    reason = reason_field("Such as: called the customer, who knows nothing of it; phone blocked.", rows=2)

    def __init__(self, data: Data = None) -> None:
        super().__init__(data)
        self.fields["reason"].label = "What did you find?"
