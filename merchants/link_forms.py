"""Forms about links and lookups. They clean input; what is allowed, the operations say."""

from collections.abc import Sequence
from typing import Final

from django import forms

from portal.web.forms import Data, PortalForm, WithReason, reason_field, search_field

ORDERS: Final = ("time-down", "time-up", "customer-up", "customer-down")
MOST_DIGITS: Final = 9


def _text(label: str, help_text: str, longest: int) -> forms.CharField:
    attributes: dict[str, object] = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
    attributes |= {"required": True, "maxlength": longest}
    return forms.CharField(label=label, required=False, help_text=help_text, widget=forms.TextInput(attrs=attributes))


class LinkSearchForm(PortalForm):
    """What the list shows. A page or an order that cannot be read is the first one; a text too long names nothing."""

    search = search_field("Device id, phrase, customer number")

    def text(self) -> str:
        """What is sought, or "". A text that is too long is sought as it came: nothing has that name."""
        return str(self.data.get("search", "")).strip()

    def page(self) -> int:
        text = str(self.data.get("page", ""))
        return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 1

    def order(self) -> str:
        """The head of a column that was pressed, else what the list was in."""
        text = self.data.get("sort") or self.data.get("order")
        return str(text) if text in ORDERS else ORDERS[0]


class LinkForm(WithReason):
    """Which device stands for whose phrase, and why."""

    customer_id = _text("Customer", "The customer number, or a USR_… id. The device may be somebody else's.", 64)
    device_id = _text("Device id", "As the bank knows it, such as an IMEI; or a DEV_… id.", 128)
    phrase = _text(
        "Phrase", "3 to 64 characters. All devices of a customer share one phrase, and nobody else has it.", 200
    )
    reason = reason_field("It is kept in the audit log and shown in the device's timeline.")


class CutForm(WithReason):
    """Why a link is cut."""

    reason = reason_field("It is kept in the audit log and shown in the device's timeline.")


class LookupFilterForm(PortalForm):
    """Whose lookups."""

    merchant = forms.ChoiceField(label="Merchant", required=False)

    def __init__(self, data: Data = None, *, merchants: Sequence[tuple[str, str]]) -> None:
        super().__init__(data)
        field = self.fields["merchant"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  for the type checker
        field.choices = [("", "All merchants"), *merchants]
