"""The form that looks for customers."""

from portal.web.forms import PortalForm, search_field


class CustomerSearchForm(PortalForm):
    """What to look for; a text that is too long does not filter."""

    q = search_field("Customer number, name, or USR_…")

    def wanted(self) -> str:
        """The text, or ""."""
        self.is_valid()
        return str(self.cleaned_data.get("q", ""))
