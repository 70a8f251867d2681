"""The second factor of a sign-in in a browser: a device that the customer has approves it.

Who has none goes on with the first factor alone, and with less: nothing that moves a PIN, a certificate or a device's
owner, and no say in two-factor requests.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from portal import vault
from portal.accounts.actors import client_actor, signed_in_actor
from portal.accounts.models import User
from portal.accounts.operations.authorization import give_code
from portal.accounts.operations.people import contact_of
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, InvalidState
from portal.crypto.codes import same
from twofa.models import BrowserSignIn, TwoFactorRequest
from twofa.operations.alerts import over_budget
from twofa.operations.asking import choose_destination, open_request
from twofa.operations.contents import Content
from twofa.shown_operations import SIGN_IN, shown_operation
from twofa.states import RequestState

FIRST_FACTOR_ONLY: Final = frozenset({"devices", "fingerprints"})
NUMBER: Final = "browser_sign_in.number"


@dataclass(frozen=True)
class Waiting:
    """A device has to approve first. number: what the browser shows, where numbers are matched, else ""."""

    until: datetime
    number: str = ""


@dataclass(frozen=True)
class Back:
    """Where the customer returns to: with a code, or with an error of RFC 6749 4.1.2.1."""

    redirect_uri: str
    state: str
    code: str = ""
    error: str = ""


def digest_of(what: str, secret: str) -> str:
    """What is kept of a `state`, and of what a browser keeps."""
    return vault.digest(f"browser_sign_in.{what}", "", secret)


def ask_a_device(caller: Actor, row: BrowserSignIn, customer: User) -> Waiting | None:
    """Ask the customer's device heard of last. None for a customer without one that could approve.

    Not inside a transaction. Raises RateLimited `too-many-requests`.
    """
    actor = signed_in_actor(caller, customer)
    with transaction.atomic(durable=True):
        customer = User.objects.select_for_update(no_key=True).get(pk=customer.pk)
        try:
            destination = choose_destination(customer, None, "")
        except InvalidState as error:
            if error.code != "no-approval-device":
                raise
            return None
        refusal = over_budget(actor, customer)
        if refusal is None:
            shown = {"email": contact_of(customer).email, "ip": caller.ip, "location": ""}
            content = Content(operation=shown_operation(SIGN_IN, shown), text="", source=None)
            asked = open_request(actor, row.application, customer, content, destination)
            row.request = asked.request
            row.number_sealed = vault.seal(NUMBER, row.pk, asked.number) if asked.number else ""
            row.save(update_fields=["request", "number_sealed"])
            return Waiting(asked.request.expires_at, asked.number)
    raise refusal


def continue_browser_sign_in(*, actor: Actor, state: str, browser: str) -> Back | Waiting:
    """What became of the device's answer: still waiting, or back to the application, once.

    state, browser: as in `finish_browser_sign_in`. Raises InvalidInput `sign-in-unknown` for a sign-in that is
    unknown, over, or another browser's; it is written.
    """
    rows = BrowserSignIn.objects.select_related("application__bank", "request__account")
    row = rows.filter(state_digest=digest_of("state", state), request__isnull=False, finished_at=None).first()
    if row is None or row.request is None or not same(digest_of("browser", browser), row.browser_digest):
        raise over(actor)
    if row.request.is_open:
        number = vault.unseal(NUMBER, row.pk, row.number_sealed) if row.number_sealed else ""
        return Waiting(row.request.expires_at, number)
    return _back(actor, row, row.request)


def code_for(caller: Actor, row: BrowserSignIn, customer: User, *, approved: bool) -> str:
    """The code that the application trades, in the caller's transaction. approved: whether a device has."""
    wanted = row.scope.split()
    return give_code(
        actor=signed_in_actor(caller, customer),
        application=row.application,
        user=customer,
        redirect_uri=row.redirect_uri,
        scope=" ".join(word for word in wanted if approved or word in FIRST_FACTOR_ONLY),
        code_challenge=row.code_challenge,
    )


def over(actor: Actor) -> InvalidInput:
    """What nobody can go on with, written."""
    audit.refuse(actor, Event.DEVICE_SIGN_IN_REFUSED, code="sign-in-unknown")
    error = InvalidInput("This sign-in is over. Begin anew in the app.", code="sign-in-unknown")
    error.audited = True
    return error


def _back(actor: Actor, row: BrowserSignIn, request: TwoFactorRequest) -> Back:
    caller = client_actor(row.application, channel=actor.channel, ip=actor.ip, request_id=actor.request_id)
    code = ""
    with transaction.atomic():
        customer = User.objects.select_for_update(no_key=True).get(pk=request.account_id)
        mine = BrowserSignIn.objects.filter(pk=row.pk, finished_at=None).update(finished_at=clock.now())
        if mine and request.state == RequestState.APPROVED and customer.is_active:
            code = code_for(caller, row, customer, approved=True)
    if not mine:
        raise over(actor)
    if not code:
        audit.refuse(caller, Event.DEVICE_SIGN_IN_REFUSED, code="sign-in-not-approved")
    return Back(row.redirect_uri, row.state, code, "" if code else "access_denied")
