"""The form that uploads a file of cards and tokens."""

from django import forms

from portal.web.forms import PortalForm


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
