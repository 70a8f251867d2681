"""The form that looks for customers."""

from django import forms

from devices.forms.registry import LONGEST_SEARCH
from portal.web.forms import PortalForm


class CustomerSearchForm(PortalForm):
    """What to look for; a text that is too long does not filter."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=LONGEST_SEARCH,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "placeholder": "Customer number, name, or USR_…",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )

    def wanted(self) -> str:
        """The text, or ""."""
        self.is_valid()
        return str(self.cleaned_data.get("q", ""))
