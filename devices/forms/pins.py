"""The form that starts a PIN reset for an owner."""

from collections.abc import Sequence

from django import forms

from devices.forms.registry import ReasonForm
from devices.models import ResetMethod
from portal.web.forms import Data


class ResetForm(ReasonForm):
    """By which way the code goes, of those that reach the owner, and why."""

    method = forms.ChoiceField(label="Send the code by", widget=forms.RadioSelect)

    field_order = ("method", "reason")

    def __init__(self, data: Data = None, *, methods: Sequence[ResetMethod]) -> None:
        super().__init__(data)
        field = self.fields["method"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  for the type checker
        field.choices = [(method.value, method.label) for method in methods]
        field.initial = methods[0].value if methods else None
