"""What the portal's forms share."""

from collections.abc import Mapping
from typing import Final

from django import forms

from portal.core.errors import ApprovalRequired, DomainError, InvalidInput
from portal.core.texts import LONGEST_REASON
from portal.web.refusals import status_of

LONGEST_SEARCH: Final = 128

type Data = Mapping[str, object] | None


def search_field(placeholder: str) -> forms.CharField:
    """A list's search. placeholder: what it looks for."""
    attributes = {"type": "search", "placeholder": placeholder, "autocomplete": "off", "spellcheck": "false"}
    return forms.CharField(
        label="Search", required=False, max_length=LONGEST_SEARCH, widget=forms.TextInput(attrs=attributes)
    )


def reason_field(help_text: str, *, needed: bool = True, rows: int = 3) -> forms.CharField:
    """Why. The operation asks for it; the browser's own check only saves a round trip."""
    attributes: dict[str, object] = {"rows": rows, "maxlength": LONGEST_REASON}
    if needed:
        attributes["required"] = True
    widget = forms.Textarea(attrs=attributes)
    return forms.CharField(label="Reason", required=False, strip=True, help_text=help_text, widget=widget)


class PortalForm(forms.Form):
    """A form that cleans input and decides nothing: rules are the operations', and their refusals are shown here."""

    refusal: DomainError | None = None

    @property
    def answer_status(self) -> int:
        """The status of the answer that shows this form again: 200 until something is wrong with it."""
        if self.refusal is not None:
            return status_of(self.refusal)
        return 422 if self.errors else 200

    def refuse(self, error: DomainError) -> None:
        """Show an operation's refusal: at the field it is about, else for the whole form.

        What waits for a second person now is no refusal: it goes on to `signed_in`, which says so.
        """
        if isinstance(error, ApprovalRequired):
            raise error
        self.refusal = error
        if not isinstance(error, InvalidInput) or not error.fields:
            self.add_error(None, error.message)
            return
        for problem in error.fields:
            self.add_error(problem.field if problem.field in self.fields else None, problem.message)


class WithReason(PortalForm):
    """A form with a `reason`: one line, line breaks become spaces."""

    def clean_reason(self) -> str:
        return " ".join(str(self.cleaned_data["reason"]).splitlines())


class CodeForm(PortalForm):
    """A code of the second factor.

    backup: a backup code will do as well, so the keyboard has letters. alone: the page asks for nothing else, so the
    cursor waits there; in other forms it may be left empty, and is asked for afterwards (`step_up.proved_each_time`).
    """

    code = forms.CharField(label="Code", max_length=64)

    def __init__(
        self, data: Data = None, *, backup: bool = False, alone: bool = False, prefix: str | None = None
    ) -> None:
        super().__init__(data, prefix=prefix)
        field = self.fields["code"]
        field.required = alone
        field.help_text = "" if alone else "From your app, or a backup code. For a passkey, leave it empty."
        field.widget.attrs |= {
            "autocomplete": "one-time-code",
            "autocapitalize": "none",
            "spellcheck": "false",
            "inputmode": "text" if backup else "numeric",
            "autofocus": alone,
        }
