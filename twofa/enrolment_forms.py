"""Forms about identity providers and activation codes. They clean input; what is allowed, the operations say."""

from django import forms

from portal.web.forms import Data, WithReason, reason_field
from twofa.models import ALGORITHMS, IdentityProvider
from twofa.operations.provider_secrets import LONGEST_SECRET

SUSPEND, RESUME = "suspend", "resume"
KEPT = "It is kept in the audit log."
ADDRESS = {"inputmode": "url", "spellcheck": "false", "autocapitalize": "none", "placeholder": "https://…"}


class ProviderChangeForm(WithReason):
    """What a provider's ID tokens say, and by which keys they are checked."""

    issuer = forms.CharField(label="Issuer", max_length=255, help_text="What its tokens say as iss, to the letter.")
    audience = forms.CharField(
        label="Audience", max_length=255, help_text="What its tokens say as aud: our client id there."
    )
    algorithms = forms.MultipleChoiceField(
        label="Algorithms", choices=[(name, name) for name in ALGORITHMS], widget=forms.CheckboxSelectMultiple
    )
    jwks_uri = forms.CharField(
        label="Address of its keys", max_length=500, required=False, widget=forms.TextInput(attrs=ADDRESS)
    )
    key_set = forms.CharField(
        label="Or its keys",
        required=False,
        help_text="A JWK set, where they are pinned instead of fetched.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    authorization_endpoint = forms.CharField(
        label="Authorization endpoint",
        max_length=500,
        required=False,
        help_text="For sign-in in a browser; both endpoints, or none.",
        widget=forms.TextInput(attrs=ADDRESS),
    )
    token_endpoint = forms.CharField(
        label="Token endpoint", max_length=500, required=False, widget=forms.TextInput(attrs=ADDRESS)
    )
    reason = reason_field(KEPT, rows=2)


class ProviderForm(ProviderChangeForm):
    """Whose ID tokens are taken."""

    name = forms.CharField(label="Name", max_length=64, help_text="What applications call it: request.method.")
    field_order = ("name",)


def change_form(data: Data, found: IdentityProvider) -> ProviderChangeForm:
    """With what is so now. Keys that were fetched are not typed in again."""
    names = ("issuer", "audience", "algorithms", "jwks_uri", "authorization_endpoint", "token_endpoint")
    now = {name: getattr(found, name) for name in names}
    form = ProviderChangeForm(data, initial={**now, "key_set": "" if found.jwks_uri else found.key_set})
    if found.client_secret_sealed:
        form.fields["token_endpoint"].help_text = "With another one the client secret is forgotten."
    return form


class ProviderSwitchForm(WithReason):
    """Take its tokens, or refuse them: the one that the page offered."""

    step = forms.ChoiceField(choices=[(SUSPEND, SUSPEND), (RESUME, RESUME)], widget=forms.HiddenInput)
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, suspended: bool) -> None:
        super().__init__(data, initial={"step": RESUME if suspended else SUSPEND})


class ProviderSecretForm(WithReason):
    """What proves us to its token endpoint."""

    secret = forms.CharField(
        label="Client secret",
        required=False,
        max_length=LONGEST_SECRET,
        help_text="From the provider; it is never shown again. Empty: none is kept.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None) -> None:
        super().__init__(data, prefix="secret")


class CodeIssueForm(WithReason):
    """Whose first device a code lets in. hands_over: the bank lets staff see codes."""

    customer_id = forms.CharField(
        label="Customer",
        max_length=64,
        help_text="The customer number, or USR_…",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    in_person = forms.BooleanField(
        label="Hand it over in person",
        required=False,
        help_text="The customer stands before you, and you have seen who it is. The code is shown once.",
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, hands_over: bool) -> None:
        super().__init__(data)
        if not hands_over:
            del self.fields["in_person"]


class CodeCancelForm(WithReason):
    """Why a code is taken back."""

    reason = reason_field(KEPT, rows=2)


class InPersonForm(WithReason):
    """Whether staff may see codes."""

    allowed = forms.TypedChoiceField(
        label="Activation codes",
        coerce=lambda text: text == "yes",
        choices=[("no", "Only go to the contact on file"), ("yes", "May also be handed over in person")],
        widget=forms.RadioSelect,
    )
    reason = reason_field(KEPT, rows=2)

    def __init__(self, data: Data = None, *, now: bool) -> None:
        super().__init__(data, initial={"allowed": "yes" if now else "no"})
