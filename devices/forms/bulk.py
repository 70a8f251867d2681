"""The forms of a step over many devices."""

from django import forms

from devices.forms.registry import ReasonForm
from devices.models import BulkStep
from portal.web.forms import PortalForm


class SelectionForm(PortalForm):
    """Which devices, one id in each line, and which step."""

    step = forms.ChoiceField(label="Step", choices=BulkStep.choices)
    devices = forms.CharField(
        label="Devices",
        required=False,
        help_text="DEV_… or UUIDs, one in each line, at most 200.",
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off", "class": "mono"}),
    )


class TakeForm(ReasonForm):
    """The step as it was tried, and why. The devices come beside it, one hidden field each."""

    run_id = forms.CharField(widget=forms.HiddenInput)
    step = forms.CharField(widget=forms.HiddenInput)
