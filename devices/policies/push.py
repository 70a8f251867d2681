"""Who may touch where push messages go, besides the device's owner and the bank (see `registry.edit`)."""

from devices.policies.verdicts import YES, Verdict
from portal.core.actor import Actor
from portal.core.errors import Forbidden


def may_forget(actor: Actor) -> Verdict:
    """Our own work forgets a handle that its push service knows no more."""
    return YES if actor.is_system else Verdict(Forbidden("Handles lapse by themselves.", code="system-only"))
