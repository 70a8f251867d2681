"""Forms about devices. They clean input; what is allowed, the operations say."""

from typing import Final

from django import forms

from devices.models import Kind
from devices.operations.facts import MAX_LENGTHS
from devices.queries import DeviceFilter
from devices.states import Category, DeviceStatus
from portal.web.forms import PortalForm

LONGEST_SEARCH: Final = 128


class DeviceSearchForm(PortalForm):
    """What to look for. Words that no choice knows do not filter."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=LONGEST_SEARCH,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "placeholder": "Id, customer number, last four, model",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )
    status = forms.ChoiceField(label="Status", required=False, choices=[("", "Any"), *DeviceStatus.choices])
    kind = forms.ChoiceField(label="Kind", required=False, choices=[("", "Any"), *Kind.choices])
    category = forms.ChoiceField(label="Category", required=False, choices=[("", "Any"), *Category.choices])

    def wanted(self) -> DeviceFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        return DeviceFilter(**{name: self.cleaned_data.get(name, "") for name in self.fields})


class ReasonForm(PortalForm):
    """Why. The operation asks for it; the browser's own check only saves a round trip."""

    reason = forms.CharField(
        label="Reason",
        required=False,
        strip=True,
        help_text="It is kept in the audit log and shown in the device's timeline.",
        widget=forms.Textarea(attrs={"rows": 3, "required": True, "maxlength": MAX_LENGTHS["reason"]}),
    )

    def clean_reason(self) -> str:
        """One line: line breaks become spaces."""
        return " ".join(str(self.cleaned_data["reason"]).splitlines())
