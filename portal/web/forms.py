"""What the portal's forms share."""

from collections.abc import Mapping

from django import forms

from portal.core.errors import ApprovalRequired, DomainError, InvalidInput
from portal.web.refusals import status_of

type Data = Mapping[str, object] | None


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


class CodeForm(PortalForm):
    """A code of the second factor.

    backup: a backup code will do as well, so the keyboard has letters. alone: the page asks for nothing else, so the
    cursor waits there.
    """

    code = forms.CharField(label="Code", max_length=64)

    def __init__(
        self, data: Data = None, *, backup: bool = False, alone: bool = False, prefix: str | None = None
    ) -> None:
        super().__init__(data, prefix=prefix)
        field = self.fields["code"]
        field.help_text = "" if alone else "From your authenticator app, or a backup code."
        field.widget.attrs |= {
            "autocomplete": "one-time-code",
            "autocapitalize": "none",
            "spellcheck": "false",
            "inputmode": "text" if backup else "numeric",
            "autofocus": alone,
        }
