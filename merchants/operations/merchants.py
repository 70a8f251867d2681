"""What a bank decides about its merchants: made, suspended, let in again, their budgets, what they are told."""

from collections.abc import Sequence
from typing import Final

from django.db import transaction

from merchants.models import BUDGET, MOST, Merchant
from portal.accounts.models import Application, ApplicationKind, Bank
from portal.accounts.operations.clients import Created, create_application
from portal.accounts.operations.suspension import switch_client
from portal.accounts.policies import require_capability, require_reason
from portal.accounts.roles import Capability
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, NotFound, SecondPersonNeeded

RESUME, SET_BUDGET, PLAIN_IDS = (f"merchant.{step}" for step in ("resume", "budget", "plain-ids"))
DIALECT, SCOPE = "peere", "phrases:lookup"
NOTHING: Final[Preview] = [(None, "Nothing: it is so already.")]


def _named(merchant: Merchant) -> dict[str, object]:
    return {"client_id": merchant.application.client_id}


def _shown(actor: Actor, arguments: Arguments) -> Merchant | None:
    """The merchant as it is now; one without a row of its own as it would get it."""
    clients = Application.objects.visible_to(actor).filter(kind=ApplicationKind.MERCHANT)
    client = clients.select_related("merchant").filter(client_id=arguments["client_id"]).first()
    if client is None:
        return None
    merchant: Merchant | None = getattr(client, "merchant", None)
    return merchant or Merchant(application=client, bank_id=client.bank_id)


def _preview_resume(actor: Actor, arguments: Arguments) -> Preview:
    merchant = _shown(actor, arguments)
    if merchant is None or merchant.application.suspended_at is None:
        return NOTHING
    return [(None, f"{merchant} may look customers up again, and miss {merchant.budget_now} an hour.")]


def _preview_budget(actor: Actor, arguments: Arguments) -> Preview:
    merchant = _shown(actor, arguments)
    if merchant is None or merchant.budget == arguments["budget"]:
        return NOTHING
    return [(None, f"{merchant} may miss {arguments['budget']} an hour, not {merchant.budget}.")]


def _preview_plain(actor: Actor, arguments: Arguments) -> Preview:
    merchant = _shown(actor, arguments)
    if merchant is None or merchant.plain_ids == arguments["plain"]:
        return NOTHING
    if arguments["plain"]:
        return [(None, f"{merchant} is told the bank's customer numbers, which it can compare with others.")]
    return [(None, f"{merchant} is told pseudonyms again. What it was told before, it may still have.")]


@transaction.atomic
def create_merchant(*, actor: Actor, bank: Bank, name: str, allowed_ips: Sequence[str] = ()) -> Created:
    """Make a merchant that may look up the bank's customers, with the usual budget and pseudonyms of its own.

    Its client secret is in what comes back, and nowhere else. Raises Forbidden, InvalidInput (name, allowed_ips).
    """
    created = create_application(
        actor=actor,
        bank=bank,
        kind=ApplicationKind.MERCHANT,
        name=name,
        dialects=[DIALECT],
        scopes=[SCOPE],
        allowed_ips=allowed_ips,
    )
    Merchant.objects.ensure(created.application.pk, bank.pk)
    return created


@transaction.atomic
def suspend_merchant(*, actor: Actor, client_id: str, reason: str) -> Merchant:
    """Let a merchant look nothing up any more; its tokens are refused from the next call on. A repeat is quiet.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound.
    """
    _require_switch(actor)
    merchant = _locked(actor, client_id, reason)
    switch_client(actor=actor, application=merchant.application, suspended=True, reason=reason)
    return merchant


@four_eyes(
    FourEyes(
        name=RESUME,
        label="Let a merchant in again",
        always="Always: what it was suspended for has to be over.",
        optional=False,
        names=_named,
        preview=_preview_resume,
    )
)
@transaction.atomic
def resume_merchant(*, actor: Actor, client_id: str, reason: str) -> Merchant:
    """Let a suspended merchant look customers up again. Always takes two people; a repeat is quiet.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound, ApprovalRequired.
    """
    _require_switch(actor)
    merchant = _locked(actor, client_id, reason)
    if merchant.application.suspended_at is None:
        return merchant
    if not actor.approved_for(RESUME):
        raise SecondPersonNeeded("A merchant is let in again by two people.", about=merchant)
    switch_client(actor=actor, application=merchant.application, suspended=False, reason=reason)
    return merchant


@four_eyes(
    FourEyes(
        name=SET_BUDGET,
        label="Change a merchant's budget",
        always=f"To raise it above the usual {BUDGET} an hour.",
        optional=False,
        names=_named,
        preview=_preview_budget,
    )
)
@transaction.atomic
def set_budget(*, actor: Actor, client_id: str, budget: int, reason: str) -> Merchant:
    """Say how many lookups of a merchant may find nothing in an hour, 1 to `MOST`. What is so already is quiet.

    While an alert is open what is left stays lessened. To raise it above the usual takes two people. reason: 1 to
    500 characters. Raises Forbidden, InvalidInput, NotFound, and ApprovalRequired.
    """
    require_capability(actor, Capability.MERCHANTS_MANAGE)
    merchant = _locked(actor, client_id, reason)
    if not 1 <= budget <= MOST:
        raise InvalidInput.at("budget", "out-of-range", f"From 1 to {MOST} an hour.")
    if merchant.budget == budget:
        return merchant
    if budget > max(BUDGET, merchant.budget) and not actor.approved_for(SET_BUDGET):
        raise SecondPersonNeeded(f"More than {BUDGET} an hour takes two people.", about=merchant)
    before = _figures(merchant)
    merchant.budget_now = min(merchant.budget_now, budget) if merchant.has_open_alerts() else budget
    merchant.budget = budget
    merchant.save(update_fields=["budget", "budget_now"])
    audit.record(actor, Event.MERCHANT_CHANGED, merchant, before=before, after=_figures(merchant), reason=reason)
    return merchant


@four_eyes(
    FourEyes(
        name=PLAIN_IDS,
        label="Change what a merchant is told of customers",
        always="Always: with customer numbers merchants can put together what each of them knows.",
        optional=False,
        names=_named,
        preview=_preview_plain,
    )
)
@transaction.atomic
def set_plain_ids(*, actor: Actor, client_id: str, plain: bool, reason: str) -> Merchant:
    """Tell a merchant the bank's customer numbers, or pseudonyms of its own. Always takes two people.

    What is so already is quiet. reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound, and
    ApprovalRequired.
    """
    require_capability(actor, Capability.MERCHANTS_MANAGE)
    merchant = _locked(actor, client_id, reason)
    if merchant.plain_ids == plain:
        return merchant
    if not actor.approved_for(PLAIN_IDS):
        raise SecondPersonNeeded("What a merchant is told of customers is decided by two people.", about=merchant)
    merchant.plain_ids = plain
    merchant.save(update_fields=["plain_ids"])
    audit.record(
        actor,
        Event.MERCHANT_CHANGED,
        merchant,
        before={"plain_ids": not plain},
        after={"plain_ids": plain},
        reason=reason,
    )
    return merchant


def _require_switch(actor: Actor) -> None:
    """Who manages merchants switches them, and so does who manages clients: a merchant is one. Raises Forbidden."""
    if not actor.can(Capability.CLIENTS_MANAGE):
        require_capability(actor, Capability.MERCHANTS_MANAGE)


def _locked(actor: Actor, client_id: str, reason: str) -> Merchant:
    """The merchant that is changed, its client's row held before its own. Raises InvalidInput, NotFound.

    One whose client was made without a row of its own gets that now.
    """
    require_reason(reason)
    clients = Application.objects.visible_to(actor).filter(kind=ApplicationKind.MERCHANT, client_id=client_id)
    application = clients.select_for_update(no_key=True, of=("self",)).first()
    if application is None:
        raise NotFound("There is no such merchant.")
    Merchant.objects.ensure(application.pk, application.bank_id)
    merchant = Merchant.objects.locked().get(pk=application.pk)
    merchant.application = application
    return merchant


def _figures(merchant: Merchant) -> dict[str, object]:
    return {"budget": merchant.budget, "budget_now": merchant.budget_now}
