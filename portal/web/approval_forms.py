"""Forms about what waits for a second person. They clean input; what may happen, the operations say."""

from django import forms

from portal.approvals.policy import MOST_IN_BULK, Policy
from portal.approvals.registry import all_registered
from portal.web.forms import CodeForm, Data, WithReason, reason_field

APPROVE, REJECT = "approve", "reject"


class DecisionForm(CodeForm, WithReason):
    """Yes or no, why, and a code of the second factor. seen: which payload the person was shown."""

    field_order = ("reason", "code")

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput())
    reason = reason_field("Whoever asked reads it. It is kept in the audit log.")
    decision = forms.ChoiceField(choices=[(APPROVE, "Approve"), (REJECT, "Reject")], widget=forms.HiddenInput())

    def __init__(self, data: Data = None) -> None:
        super().__init__(data, backup=True)


class PolicyForm(WithReason):
    """What the bank is to want a second person for from now on."""

    required = forms.MultipleChoiceField(
        label="Takes a second person each time", required=False, widget=forms.CheckboxSelectMultiple()
    )
    bulk_threshold = forms.IntegerField(
        label="Devices one person may change at once",
        help_text="A bulk step over more devices waits for a second person.",
        min_value=1,
        max_value=MOST_IN_BULK,
    )
    reason = reason_field("The second person reads it. It is kept in the audit log.")

    def __init__(self, data: Data = None, *, now: Policy) -> None:
        super().__init__(data, initial={"required": sorted(now.required), "bulk_threshold": now.bulk_threshold})
        field = self.fields["required"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101  for the type checker
        field.choices = [(entry.name, entry.label) for entry in all_registered() if entry.optional]

    def clean_required(self) -> list[str]:
        """In one order, so that the same wish is the same request."""
        return sorted(self.cleaned_data["required"])
