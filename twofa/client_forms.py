"""Forms about the clients that ask. They clean input; what is allowed, the operations say."""

from typing import Final

from django import forms

from portal.accounts.models import Application, ApplicationKind, ApprovalProof
from portal.accounts.models.oauth import LONGEST_REQUEST, SHORTEST_REQUEST
from portal.accounts.operations.client_webhooks import LONGEST
from portal.accounts.operations.clients import LONGEST_OVERLAP
from portal.accounts.scopes import DESCRIPTIONS, DIALECTS, SCOPES_BY_KIND
from portal.web.forms import Data, PortalForm, WithReason, reason_field

KINDS: Final = {
    ApplicationKind.MOBILE.value: "Mobile application",
    ApplicationKind.BANK.value: "The bank's server",
    ApplicationKind.MERCHANT.value: "A merchant's server",
}
CLIENT, APP, WEBHOOK = "client", "app", "webhook"
SECRETS = {
    CLIENT: "Client secret, for tokens at /oauth/token",
    APP: "App secret, which the application sends with each call",
    WEBHOOK: "Webhook key, which signs what the client is told",
}
KEPT = "It is kept in the audit log."


class NewClientForm(PortalForm):
    """A new client of one kind, and what is open to it."""

    name = forms.CharField(label="Name", max_length=120, help_text="Customers see it in what they approve.")
    dialects = forms.MultipleChoiceField(
        label="Interfaces",
        required=False,
        choices=[(name, name) for name in sorted(DIALECTS)],
        widget=forms.CheckboxSelectMultiple,
    )
    scopes = forms.MultipleChoiceField(label="Rights", required=False, widget=forms.CheckboxSelectMultiple)
    allowed_ips = forms.CharField(
        label="May call from",
        required=False,
        help_text="Networks such as 192.0.2.0/24, one a line. Empty: from anywhere.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    signed_answers = forms.BooleanField(
        label="Sign what it is answered",
        required=False,
        help_text="Only in SPiD. It gets a sign secret, which is shown with the others.",
    )
    administers = forms.BooleanField(
        label="It may speak for the bank's other applications",
        required=False,
        help_text="Only in SPiD, and only for staff with the right.",
    )

    def __init__(self, data: Data = None, *, kind: str) -> None:
        super().__init__(data)
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)  # noqa: S101  for the type checker
        scopes.choices = [(name, DESCRIPTIONS[name]) for name in sorted(SCOPES_BY_KIND[kind])]

    def clean_allowed_ips(self) -> list[str]:
        return str(self.cleaned_data["allowed_ips"]).split()


class RulesForm(WithReason):
    """How a client's requests wait, and whether a number is matched."""

    request_seconds = forms.IntegerField(
        label="Seconds to answer", min_value=SHORTEST_REQUEST, max_value=LONGEST_REQUEST
    )
    number_matching = forms.BooleanField(
        label="Match a number",
        required=False,
        help_text="The waiting side shows two digits, and the customer types them to approve.",
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, client: Application) -> None:
        now = {"request_seconds": client.request_seconds, "number_matching": client.number_matching}
        super().__init__(data, initial=now, prefix="rules")


class ReturnForm(WithReason):
    """Where a mobile application wants its customers back."""

    uris = forms.CharField(
        label="Addresses to return to",
        required=False,
        help_text="One a line, such as com.example.bank:/back. Compared to the letter.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "none"}),
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, client: Application) -> None:
        super().__init__(data, initial={"uris": "\n".join(client.redirect_uris.split())}, prefix="return")

    def clean_uris(self) -> list[str]:
        return str(self.cleaned_data["uris"]).split()


class PossessionForm(WithReason):
    """Whether new sessions are bound to the device's key."""

    proves = forms.BooleanField(
        label="Sessions prove the device's key in each call",
        required=False,
        help_text="DPoP (RFC 9449). Sessions that are open stay as they are.",
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, client: Application) -> None:
        super().__init__(data, initial={"proves": client.proves_possession}, prefix="possession")


class WebhookForm(WithReason):
    """Where a client is told what became of its requests."""

    url = forms.CharField(
        label="Address",
        required=False,
        max_length=LONGEST,
        help_text="https, or empty. It gets a signed POST with the request's id and state; New secret shows the key.",
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "autocapitalize": "none"}),
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, client: Application) -> None:
        super().__init__(data, initial={"url": client.webhook_url}, prefix="webhook")


class SecretForm(WithReason):
    """Which secret is made anew."""

    which = forms.ChoiceField(label="Which", widget=forms.RadioSelect)
    days = forms.IntegerField(
        label="Days that the old app secret stays good",
        required=False,
        min_value=0,
        max_value=LONGEST_OVERLAP,
        initial=30,
        help_text="Until installed applications are updated. 0, or empty: it stops at once, as after a leak.",
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, client: Application) -> None:
        super().__init__(data)
        which = self.fields["which"]
        assert isinstance(which, forms.ChoiceField)  # noqa: S101  for the type checker
        has = {CLIENT: True, APP: is_mobile(client), WEBHOOK: bool(client.webhook_url)}
        which.choices = [(name, text) for name, text in SECRETS.items() if has[name]]
        which.initial = CLIENT
        if not has[APP]:
            del self.fields["days"]


def is_mobile(client: Application) -> bool:
    return client.kind == ApplicationKind.MOBILE


class ClientSwitchForm(WithReason):
    """Suspend a client, or let it in again: the one that the page offered."""

    suspended = forms.TypedChoiceField(
        choices=[("yes", "Suspend"), ("no", "Let in")], coerce=lambda text: text == "yes", widget=forms.HiddenInput
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, client: Application) -> None:
        super().__init__(data, initial={"suspended": "no" if client.suspended_at else "yes"}, prefix="switch")


class ProofForm(WithReason):
    """What approvals for a client rest on."""

    proof = forms.ChoiceField(label="Approvals rest on", choices=ApprovalProof.choices)
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, client: Application) -> None:
        super().__init__(data, initial={"proof": client.approval_proof}, prefix="proof")
