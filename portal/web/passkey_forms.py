"""The forms that a passkey answers. The script puts the browser's answer into a hidden field and sends them."""

from django import forms
from django.conf import settings
from django.http import HttpRequest

from portal.accounts.models import Passkey, User
from portal.accounts.operations.passkeys import LONGEST_NAME, Purpose, start_proving
from portal.crypto.passkeys import LONGEST_ANSWER
from portal.web.actor import actor_of
from portal.web.forms import PortalForm


class AnswerForm(PortalForm):
    """What a passkey signed."""

    answer = forms.CharField(max_length=LONGEST_ANSWER, widget=forms.HiddenInput(attrs={"data-answer": True}))


class NewPasskeyForm(AnswerForm):
    """A new passkey, and what its owner calls it."""

    field_order = ("name", "answer")

    name = forms.CharField(
        label="Name",
        help_text="What you will know it by: Blue key, My laptop.",
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


def elsewhere(request: HttpRequest) -> str:
    """Where passkeys work, when they do not under the name that this browser came to; else ""."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    here = host == settings.PASSKEY_DOMAIN or request.get_host() == settings.PASSKEY_DOMAIN
    return "" if here else str(settings.PASSKEY_ORIGINS[0])


def session_of(request: HttpRequest) -> str:
    """The browser's session, which what it is asked is bound to."""
    return request.session.session_key or ""


def asked(
    request: HttpRequest, person: User, purpose: Purpose, form: AnswerForm | None = None
) -> dict[str, object] | None:
    """For `web/_passkey.html`; None for somebody without a passkey."""
    if other := elsewhere(request):
        has_one = Passkey.objects.filter(user=person, confirmed=True).exists()
        return {"elsewhere": other} if has_one else None
    actor = actor_of(request, person)
    options = start_proving(actor=actor, user=person, purpose=purpose, session=session_of(request))
    return {"options": options, "form": form or AnswerForm()} if options else None
