"""Forms about transfers. They clean input; what is allowed, the operations say."""

from datetime import UTC, date, datetime, time

from django import forms

from devices.forms.registry import ReasonForm
from devices.queries.transfers import TransferFilter
from devices.states import TransferState
from portal.web.forms import CodeForm, Data, PortalForm, WithReason, reason_field, search_field


class TransferSearchForm(PortalForm):
    """What to look for. Words that no choice knows do not filter."""

    q = search_field("Transfer or device id, customer number")
    state = forms.ChoiceField(label="State", required=False, choices=[("", "Any"), *TransferState.choices])

    def wanted(self) -> TransferFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        return TransferFilter(**{name: self.cleaned_data.get(name, "") for name in self.fields})


class TransferRequestForm(ReasonForm):
    """To whom, from when, and why."""

    new_owner_id = forms.CharField(
        label="New owner",
        max_length=64,
        help_text="The customer number, or USR_…, of a customer of your bank.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    effective_date = forms.DateField(
        label="Not before",
        required=False,
        help_text="From the beginning of this day, UTC. Left empty: as soon as the new owner accepts.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    field_order = ("new_owner_id", "effective_date", "reason")

    def clean_effective_date(self) -> datetime | None:
        """The first moment of the day."""
        day: date | None = self.cleaned_data["effective_date"]
        return datetime.combine(day, time.min, UTC) if day else None


class DecisionForm(CodeForm, WithReason):
    """A decision with its reason and a fresh second factor. An approval may do without the reason."""

    reason = reason_field("Needed to reject. It is kept in the audit log.", needed=False, rows=2)
    field_order = ("reason", "code")

    def __init__(self, data: Data = None) -> None:
        super().__init__(data, backup=True)
