"""The forms that upload a file of cards and tokens, and start its import."""

from django import forms

from devices.forms.registry import ReasonForm
from portal.web.forms import Data, PortalForm


class UploadForm(PortalForm):
    """A file, and what one bad row means. The operation reads it."""

    file = forms.FileField(
        label="CSV file",
        max_length=255,
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"required": "Choose a file.", "empty": "The file is empty."},
    )
    all_or_nothing = forms.BooleanField(
        label="All or nothing",
        required=False,
        help_text="One refused row, and nothing is issued. Otherwise the good rows are issued.",
    )


class StartForm(ReasonForm):
    """Why it is imported."""

    def __init__(self, data: Data = None) -> None:
        super().__init__(data)
        self.fields["reason"].help_text = "It is kept in the audit log."
