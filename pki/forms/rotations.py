"""Forms about rotations. They clean input; what is allowed, the operations say."""

from django import forms

from pki.operations.rotation_control import HIGHEST_RATE
from pki.queries.rotations import RotationFilter
from portal.web.forms import Data, PortalForm, WithReason, reason_field, search_field

KEPT = "It is kept in the audit log."


class RotationSearchForm(PortalForm):
    """What to look for. Words that no state knows do not filter."""

    q = search_field("Rotation, certificate or device id, customer number")
    state = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def wanted(self) -> RotationFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        return RotationFilter(q=self.cleaned_data.get("q", ""), state=self.cleaned_data.get("state", ""))


class SwitchForm(WithReason):
    """Pause or resume."""

    reason = reason_field(KEPT, rows=2)


class RateForm(WithReason):
    """How many a minute."""

    rate = forms.IntegerField(label="Certificates a minute, at most", min_value=1, max_value=HIGHEST_RATE)
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, now: int = 1, prefix: str | None = None) -> None:
        super().__init__(data, initial={"rate": now}, prefix=prefix)
