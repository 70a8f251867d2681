"""Forms about authorities and the certificate policy. They clean input; what is allowed, the operations say."""

from typing import Any

from django import forms

from pki.keystore.stores import store_names
from pki.models import KeyStoreKind
from pki.operations.authority_making import LONGEST_NAME
from pki.operations.hierarchy import ISSUING_KEY
from pki.policy_values import FIELDS, KEY_LIFETIME, LABELS, LONGEST_TEXT, LONGEST_ZONE, OVERLAP
from pki.x509.describe import KEY_LABELS
from pki.x509.profiles import REQUESTABLE
from portal.web.forms import Data, WithReason, reason_field

PURPOSE_LABELS = {"client-auth": "Client authentication", "server-auth": "Server authentication"}
TO_READ = "The second person reads it. It is kept in the audit log."


class RollOverForm(WithReason):
    """What the new authority is to be."""

    name = forms.CharField(
        label="Name",
        required=False,
        strip=False,
        max_length=LONGEST_NAME,
        help_text="Left empty: the bank's name and the next number.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    key = forms.ChoiceField(label="Key", choices=list(KEY_LABELS.items()), initial=ISSUING_KEY)
    keystore = forms.ChoiceField(label="Where its key lives")
    reason = reason_field(TO_READ)

    def __init__(self, data: Data = None) -> None:
        super().__init__(data)
        field = self.fields["keystore"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  for the type checker
        field.choices = [(name, KeyStoreKind(name).label) for name in store_names() if name in KeyStoreKind.values]


class PolicyForm(WithReason):
    """What the bank is to decide about its certificates from now on, each profile with its own fields."""

    organisation = forms.CharField(label=LABELS["organisation"], max_length=LONGEST_TEXT, strip=False)
    unit = forms.CharField(label=LABELS["unit"], max_length=LONGEST_TEXT, required=False, strip=False)
    country = forms.CharField(label=LABELS["country"], max_length=2, help_text="Two capital letters, as in ISO 3166.")
    zone = forms.CharField(
        label=LABELS["zone"],
        max_length=LONGEST_ZONE,
        required=False,
        help_text="Devices get a name under it. Left empty: they get none, and there are no terminal certificates.",
    )
    auto_sign = forms.BooleanField(
        label=LABELS["auto_sign"],
        required=False,
        help_text="When they are active and ask by the token that is bound to them.",
    )
    sign_needs_two = forms.BooleanField(
        label=LABELS["sign_needs_two"],
        required=False,
        help_text="What the bank's server wants to sign then waits for an approver.",
    )
    key_lifetime_days = forms.IntegerField(
        label=LABELS["key_lifetime_days"],
        min_value=KEY_LIFETIME[0],
        max_value=KEY_LIFETIME[-1],
        help_text="An older key is not certified again: the device makes a new one.",
    )
    overlap_days = forms.IntegerField(
        label=LABELS["overlap_days"],
        min_value=OVERLAP[0],
        max_value=OVERLAP[-1],
        help_text="So long the old certificate stays good beside the new one, unless the device proves the new one.",
    )
    reason = reason_field(TO_READ)

    def __init__(self, data: Data = None, *, now: dict[str, Any]) -> None:
        plain = {name: now[name] for name in FIELDS if name != "profiles"}
        narrowed = {f"{name}-{what}": now["profiles"][name][what] for name in REQUESTABLE for what in WHAT}
        super().__init__(data, initial=plain | narrowed)
        for name, profile in REQUESTABLE.items():
            for what, field in _profile_fields(profile.max_days, profile.purposes).items():
                self.fields[f"{name}-{what}"] = field

    def wanted(self) -> dict[str, Any]:
        """The operation's arguments."""
        values = self.cleaned_data
        profiles = {name: {what: _plain(values[f"{name}-{what}"]) for what in WHAT} for name in REQUESTABLE}
        return {name: values[name] for name in (*FIELDS, "reason") if name != "profiles"} | {"profiles": profiles}

    def groups(self) -> list[dict[str, Any]]:
        """The profiles' fields, one group a profile, for the page."""
        return [{"name": name} | {what: self[f"{name}-{what}"] for what in WHAT} for name in REQUESTABLE]


WHAT = ("days", "max_days", "keys", "purposes")


def _profile_fields(max_days: int, purposes: tuple[str, ...]) -> dict[str, forms.Field]:
    boxes = forms.CheckboxSelectMultiple
    return {
        "days": forms.IntegerField(label="Days, when nobody asks for less", min_value=1, max_value=max_days),
        "max_days": forms.IntegerField(label=f"Most days (at most {max_days})", min_value=1, max_value=max_days),
        "keys": forms.MultipleChoiceField(label="Keys", choices=list(KEY_LABELS.items()), widget=boxes),
        "purposes": forms.MultipleChoiceField(
            label="Purposes", choices=[(word, PURPOSE_LABELS[word]) for word in purposes], widget=boxes
        ),
    }


def _plain(value: Any) -> Any:
    """Lists in one order, so that the same wish is the same request."""
    return sorted(value) if isinstance(value, list) else value
