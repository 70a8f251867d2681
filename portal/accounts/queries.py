"""Reads about people that several doors and operations share."""

from portal.accounts.models import Application, User
from portal.accounts.roles import Capability
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


def claimed_client(actor: Actor, client_id: str) -> Application:
    """The client in whose name a call says it is made (SPiD's `contextClientId`).

    It is the token's own, or another of the bank; for that the token's client has to administer the bank's clients,
    and the person too. Raises NotFound `client-unknown`, `client-mismatch` (another bank's: client ids are random, so
    that nobody can look for them), Forbidden `client-administers-nothing`, `administers-nothing`.
    """
    named = Application.objects.filter(client_id=client_id).first()
    if named is None:
        raise NotFound("There is no such client.", code="client-unknown")
    if named.bank_id != actor.bank_id:
        raise NotFound("This is not a client of the bank.", code="client-mismatch")
    if named.pk == actor.application_id:
        return named
    own = Application.objects.filter(pk=actor.application_id or 0).only("administers").first()
    if own is None or not own.administers:
        raise Forbidden("The token's client administers no other.", code="client-administers-nothing")
    if not actor.can(Capability.CLIENTS_MANAGE):  # no customer can
        raise Forbidden("The token's person administers no client.", code="administers-nothing")
    return named
