"""Reads about people that several doors and operations share."""

from portal.accounts.models import User
from portal.core.actor import Actor
from portal.core.errors import Forbidden, NotFound


def claimed_customer(actor: Actor, text: str | None, *, lock: bool = False) -> User:
    """The customer a call says it is about. Identity comes from the token: the text is a claim that has to be true.

    text: `USR_…` or the bank's customer number; a customer may leave it out. A customer names itself, a bank's server
    and staff a customer of their bank. lock: hold the row (SELECT … FOR NO KEY UPDATE) until the transaction ends.
    Raises Forbidden `identity-mismatch`, the same for a foreign, another bank's and an unknown customer.
    """
    people = User.objects.visible_to(actor)
    if lock:
        people = people.select_for_update(no_key=True)
    try:
        return people.customers().get() if actor.is_customer and not text else people.named(text or "")
    except NotFound:
        message = (
            "The customer named is not the token's." if actor.is_customer else "This is not a customer of the bank."
        )
        raise Forbidden(message, code="identity-mismatch") from None
