"""Forms about cards and tokens. They clean input; what is allowed, the operations say."""

from typing import Any, Final, cast

from django import forms
from django.utils.datastructures import MultiValueDict

from devices.forms.registry import ReasonForm
from devices.models import ISSUED_KINDS, CardKind, Kind
from devices.operations.issued_facts import CAPABILITIES, CARD_FIELDS, LONGEST
from devices.queries.issued import IssuedFilter
from devices.states import CardStatus
from portal.core import clock
from portal.core.card_numbers import holds_card_number
from portal.core.errors import DomainError, InvalidInput
from portal.web.forms import Data, PortalForm, search_field
from portal.web.marks import humanise

KINDS: Final = [(kind.value, Kind(kind).label) for kind in ISSUED_KINDS]
MASKED: Final = "Six digits, at least three times *, and the last four. A full card number is never entered here."
SHORT: Final = {"hmac": "HMAC", "pki": "PKI", "sms": "SMS", "icc": "Chip (ICC)", "nfc": "Contactless (NFC)"}
DAY: Final = {"type": "date"}


def _text(label: str, field: str, *, help_text: str = "", **attrs: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", **attrs})
    return forms.CharField(label=label, required=False, max_length=LONGEST[field], help_text=help_text, widget=widget)


class IssuedSearchForm(PortalForm):
    """What to look for. Words that no choice knows do not filter."""

    q = search_field("Reference, customer number, last four, brand")
    status = forms.ChoiceField(label="Status", required=False, choices=[("", "Any"), *CardStatus.choices])
    kind = forms.ChoiceField(label="Kind", required=False, choices=[("", "Any"), *KINDS])

    def wanted(self) -> IssuedFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        return IssuedFilter(**{name: self.cleaned_data.get(name, "") for name in self.fields})


class CardlessForm(ReasonForm):
    """A form that shows no full card number again that somebody typed into it."""

    def refuse(self, error: DomainError) -> None:
        super().refuse(error)
        if isinstance(error, InvalidInput) and any(problem.code == "card-number" for problem in error.fields):
            typed = cast("MultiValueDict[str, str]", self.data)
            self.data = MultiValueDict({name: list(map(_without_number, each)) for name, each in typed.lists()})


def _without_number(value: str) -> str:
    return "" if len(value) > LONGEST["reason"] or holds_card_number(value) else value


class DeliveryForm(CardlessForm):
    """When it reached its holder."""

    delivered_on = forms.DateField(label="Delivered on", widget=forms.DateInput(attrs=DAY))
    field_order = ("delivered_on", "reason")

    def __init__(self, data: Data = None) -> None:
        super().__init__(data, initial={"delivered_on": clock.now().date().isoformat()})

    def values(self) -> dict[str, Any]:
        """The operation's arguments."""
        return {**self.cleaned_data, "delivered_on": self.cleaned_data["delivered_on"].isoformat()}


class ReplacementForm(CardlessForm):
    """What is known of the card or token that takes the old one's place."""

    reference = _text("Reference", "reference", help_text="The bank's own, of the new one.")
    card_number = _text(
        "Masked card number",
        "card_number",
        help_text=f"{MASKED} Left empty: the same as before.",
        inputmode="numeric",
    )
    expires_on = forms.DateField(label="Valid until", required=False, widget=forms.DateInput(attrs=DAY))
    field_order = ("reference", "card_number", "expires_on", "reason")

    def __init__(self, kind: str, data: Data = None) -> None:
        super().__init__(data)
        if kind != Kind.PAYMENT_CARD:
            del self.fields["card_number"]
        else:
            self.fields["expires_on"].required = True

    def values(self) -> dict[str, Any]:
        """The operation's arguments."""
        day = self.cleaned_data["expires_on"]
        return {**self.cleaned_data, "expires_on": day.isoformat() if day else ""}


class IssueForm(CardlessForm):
    """A new card or token of one kind."""

    customer_id = forms.CharField(
        label="Customer",
        max_length=64,
        help_text="The customer number, or USR_…, of a customer of your bank.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    model = _text("What is printed on it", "model")
    reference = _text("Reference", "reference", help_text="The bank's own: a token reference or a serial number.")
    card_number = _text(
        "Masked card number", "card_number", help_text=MASKED, placeholder="411111******1111", inputmode="numeric"
    )
    card_kind = forms.ChoiceField(label="Kind of card", choices=CardKind.choices)
    card_brand = _text("Brand", "card_brand")
    cardholder_name = _text("Name on the card", "cardholder_name")
    is_primary = forms.TypedChoiceField(
        label="Primary card",
        required=False,
        choices=[("", "Not known"), ("yes", "Primary"), ("no", "Additional")],
        coerce=lambda word: word == "yes",
        empty_value=None,
    )
    expires_on = forms.DateField(label="Valid until", required=False, widget=forms.DateInput(attrs=DAY))
    capabilities = forms.MultipleChoiceField(
        label="What it can do",
        required=False,
        choices=[(word, SHORT.get(word) or humanise(word)) for word in CAPABILITIES],
        widget=forms.CheckboxSelectMultiple,
    )
    field_order = (
        *("customer_id", "model", "reference", "card_number", "card_kind", "card_brand", "cardholder_name"),
        *("is_primary", "expires_on", "capabilities", "reason"),
    )

    def __init__(self, kind: str, data: Data = None, *, customer: str = "") -> None:
        super().__init__(data, initial={"customer_id": customer})
        self.kind = kind
        if kind != Kind.PAYMENT_CARD:
            for name in (*CARD_FIELDS, "is_primary"):
                del self.fields[name]
        else:
            self.fields["expires_on"].required = True

    def values(self) -> dict[str, Any]:
        """The operation's arguments."""
        day = self.cleaned_data["expires_on"]
        return {**self.cleaned_data, "kind": self.kind, "expires_on": day.isoformat() if day else ""}
