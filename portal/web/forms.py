"""What the portal's forms share."""

from django import forms

from portal.core.errors import DomainError, InvalidInput


class PortalForm(forms.Form):
    """A form that cleans input and decides nothing: rules are the operations', and their refusals are shown here."""

    def refuse(self, error: DomainError) -> None:
        """Show an operation's refusal: at the field it is about, else for the whole form."""
        if not isinstance(error, InvalidInput) or not error.fields:
            self.add_error(None, error.message)
            return
        for problem in error.fields:
            self.add_error(problem.field if problem.field in self.fields else None, problem.message)


class CodeForm(PortalForm):
    """A second factor. `backup`: a backup code will do as well, so the field takes letters."""

    code = forms.CharField(label="Code", max_length=64)

    def __init__(self, data: object = None, *, backup: bool = False, prefix: str | None = None) -> None:
        super().__init__(data, prefix=prefix)  # type: ignore[arg-type]
        self.fields["code"].widget.attrs.update(
            {
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "inputmode": "text" if backup else "numeric",
            }
        )
