"""Links and lookups as whole lists, for files: who took one is written down before its first line is read."""

from collections.abc import Iterator

from django.db import transaction

from merchants import policies
from merchants.models import Sighting
from merchants.queries import sightings
from merchants.queries.links import Listed, all_links
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor


def export_links(*, actor: Actor, search: str = "") -> Iterator[Listed]:
    """The bank's open links, or those that a text names, newest first; a few hundred are held at a time.

    Each call writes one event, which does not tell the text. search: as in `list_links`. Raises Forbidden.
    """
    policies.require_links(actor)
    with transaction.atomic():
        audit.record(actor, Event.LINKS_EXPORTED, None, details={"searched": bool(search)})
    return all_links(actor, search)


def export_lookups(*, actor: Actor, client_id: str = "") -> Iterator[Sighting]:
    """Whom the bank's merchants, or one of them, were told of, newest first; a few hundred are held at a time.

    Each call writes one event. Raises Forbidden, NotFound.
    """
    found = sightings.wanted_sightings(actor, client_id)
    with transaction.atomic():
        audit.record(actor, Event.LOOKUPS_EXPORTED, None, details={"merchant": client_id})
    return sightings.all_of(found)
