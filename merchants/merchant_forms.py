"""Forms about merchants. They clean input; what is allowed, the operations say."""

from django import forms

from merchants.models import MOST
from merchants.queries.merchants import Standing
from portal.web.forms import Data, PortalForm, WithReason, reason_field

KEPT = "It is kept in the audit log."


class NewMerchantForm(PortalForm):
    """A new merchant."""

    name = forms.CharField(label="Name", max_length=120)
    allowed_ips = forms.CharField(
        label="May call from",
        required=False,
        help_text="Networks such as 192.0.2.0/24, one a line. Empty: from anywhere.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    def clean_allowed_ips(self) -> list[str]:
        return str(self.cleaned_data["allowed_ips"]).split()


class BudgetForm(WithReason):
    """How many lookups may find nothing in an hour."""

    budget = forms.IntegerField(label="Lookups in an hour that may find nothing", min_value=1, max_value=MOST)
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, merchant: Standing) -> None:
        super().__init__(data, initial={"budget": merchant.budget}, prefix="budget")


class PlainForm(WithReason):
    """What the merchant is told of a customer: the one that the page offered."""

    plain = forms.TypedChoiceField(
        choices=[("yes", "Numbers"), ("no", "Pseudonyms")],
        coerce=lambda text: text == "yes",
        widget=forms.HiddenInput,
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, merchant: Standing) -> None:
        super().__init__(data, initial={"plain": "no" if merchant.plain_ids else "yes"}, prefix="plain")


class SwitchForm(WithReason):
    """Suspend the merchant, or let it in again."""

    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, merchant: Standing) -> None:
        super().__init__(data, prefix="resume" if merchant.is_suspended else "suspend")


class ReviewForm(WithReason):
    """What was found about an alert."""

    reason = reason_field("What you found. " + KEPT, rows=2)
