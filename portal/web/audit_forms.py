"""What to look for in the audit log."""

from typing import Final

from django import forms

from portal.accounts.models import User
from portal.audit.events import Event, Outcome
from portal.audit.queries import EventFilter
from portal.core import ids
from portal.core.actor import Actor
from portal.web.forms import PortalForm

_OBJECTS: Final = {
    "DEV": "device",
    "USR": "user",
    "CERT": "certificate",
    "CSR": "certificaterequest",
    "CA": "certificateauthority",
    "ROT": "rotation",
}
_DAY: Final = {"type": "date"}


class AuditSearchForm(PortalForm):
    """Filters of the audit browser. A field that cannot be read says so and does not filter."""

    event = forms.ChoiceField(
        label="Event", required=False, choices=[("", "Any"), *((event.value, event.label) for event in Event)]
    )
    actor = forms.CharField(
        label="Who", required=False, max_length=64, widget=forms.TextInput(attrs={"placeholder": "User name or id"})
    )
    object = forms.CharField(
        label="On what",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"placeholder": "DEV_…, USR_…, CERT_…"}),
    )
    outcome = forms.ChoiceField(label="Outcome", required=False, choices=[("", "Any"), *Outcome.choices])
    since = forms.DateField(label="From day (UTC)", required=False, widget=forms.DateInput(attrs=_DAY))
    until = forms.DateField(label="To day (UTC)", required=False, widget=forms.DateInput(attrs=_DAY))

    def wanted(self, actor: Actor) -> EventFilter:
        """The filter. A user name is looked up among the staff of the actor's bank: one query, when one is given."""
        self.is_valid()
        values = self.cleaned_data
        object_type, object_id = _read_object(values.get("object", ""))
        return EventFilter(
            event=values.get("event", ""),
            actor_id=_read_actor(values.get("actor", ""), actor),
            object_type=object_type,
            object_id=object_id,
            outcome=values.get("outcome", ""),
            first_day=values.get("since"),
            last_day=values.get("until"),
        )


def _read_actor(text: str, actor: Actor) -> str:
    """A person's id for `USR_…` or a user name; else the text, which may be a client's or a job's name."""
    if not text:
        return ""
    if (person := User.id_from(text)) is not None:
        return str(person)
    found = User.objects.visible_to(actor).staff().filter(username=text).values_list("pk", flat=True).first()
    return str(found or text)


def _read_object(text: str) -> tuple[str, str]:
    """`DEV_…`, `USR_…`, `CERT_…` name their kind; any other text is an id of whatever kind."""
    prefix = text.partition("_")[0]
    kind = _OBJECTS.get(prefix)
    if kind is None:
        return "", text.lower()
    try:
        return kind, str(ids.read(prefix, text))
    except ValueError:
        return kind, text
