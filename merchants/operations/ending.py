"""How a link ends, whoever ends it."""

from merchants.models import Link, Phrase
from merchants.operations import positions
from merchants.states import EndReason
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor


def end(actor: Actor, link: Link, why: EndReason, reason: str) -> Link:
    """End an open link, and free the phrase when no other device is linked to it. The device's row is locked.

    Lookups miss from the moment at which the transaction ends.
    """
    phrase = Phrase.objects.select_for_update(of=("self",)).get(links=link)
    positions.lock(link.bank_id)
    link = Link.objects.select_related("device", "customer").select_for_update(of=("self",)).get(pk=link.pk)
    link.phrase, link.device_id_sealed = None, ""
    link.ended_at, link.end_reason = clock.now(), why
    link.save(update_fields=["phrase", "device_id_sealed", "ended_at", "end_reason"])
    positions.left(link)
    if not Link.objects.filter(phrase=phrase).exists():
        phrase.delete()
    details = {"link": str(link.pk), "customer": link.customer.public_id, "why": why.value}
    audit.record(actor, Event.LINK_CUT, link.device, reason=reason, details=details)
    return link
