"""Who may do what with fingerprints."""

from devices.policies.verdicts import YES, Verdict
from portal.core.actor import Actor
from portal.core.errors import Forbidden


def record(actor: Actor) -> Verdict:
    """Customers, when they sign in: a fingerprint says that this very person was there."""
    if actor.is_customer:
        return YES
    return Verdict(Forbidden("Fingerprints are recorded when a customer signs in.", code="bearer-not-served"))
