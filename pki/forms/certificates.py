"""Forms of the inventory's pages. They clean input."""

from typing import Final

from django import forms

from pki.queries.certificates import CertificateFilter
from portal.web.forms import PortalForm, search_field

_DAY: Final = {"type": "date"}


class CertificateSearchForm(PortalForm):
    """What to look for. A day that cannot be read says so and does not filter."""

    q = search_field("Serial or its last 8 digits, device or certificate id")
    since = forms.DateField(label="Runs out from (UTC)", required=False, widget=forms.DateInput(attrs=_DAY))
    until = forms.DateField(label="Runs out until (UTC)", required=False, widget=forms.DateInput(attrs=_DAY))
    state = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def wanted(self) -> CertificateFilter:
        """The filter; fields that could not be read are left out."""
        self.is_valid()
        values = self.cleaned_data
        return CertificateFilter(
            q=values.get("q", ""),
            state=values.get("state", ""),
            since=values.get("since"),
            until=values.get("until"),
        )


class KeySearchForm(PortalForm):
    """A blocked key by its fingerprint."""

    q = search_field("The beginning of a fingerprint")

    def wanted(self) -> str:
        self.is_valid()
        return str(self.cleaned_data.get("q", ""))
