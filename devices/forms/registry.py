"""Forms about devices. They clean input; what is allowed, the operations say."""

from django import forms

from devices.models import Kind
from devices.queries import DeviceFilter
from devices.states import Category, DeviceStatus
from portal.web.forms import PortalForm, WithReason, reason_field, search_field


class DeviceSearchForm(PortalForm):
    """What to look for. Words that no choice knows do not filter."""

    q = search_field("Id, customer number, last four, model")
    status = forms.ChoiceField(label="Status", required=False, choices=[("", "Any"), *DeviceStatus.choices])
    kind = forms.ChoiceField(label="Kind", required=False, choices=[("", "Any"), *Kind.choices])
    category = forms.ChoiceField(label="Category", required=False, choices=[("", "Any"), *Category.choices])

    def wanted(self) -> DeviceFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        return DeviceFilter(**{name: self.cleaned_data.get(name, "") for name in self.fields})


class ReasonForm(WithReason):
    """Why a step is taken with a device."""

    reason = reason_field("It is kept in the audit log and shown in the device's timeline.")
