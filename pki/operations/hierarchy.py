"""The authorities themselves: one root, and under it for each bank the authority that issues for it."""

from dataclasses import dataclass, replace
from typing import Final

from django.db import IntegrityError, transaction

from pki.models import CertificateAuthority, CertificatePolicy
from pki.operations.authority_making import (
    LONGEST_NAME,
    AuthorityFacts,
    key_problems,
    make_authority,
    store_authority,
)
from pki.policies import require_manage
from pki.policy_values import subject_problems, zone_problems
from pki.states import CaRole, CaState
from portal.accounts.models import Bank
from portal.accounts.policies import require_same_bank
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState

ROOT_KEY: Final = "p384"  # as long as it lives, with room above what it signs
ISSUING_KEY: Final = "p256"


@dataclass(frozen=True, kw_only=True)
class BankSetUp:
    """What a bank's first authority is to be. country, organisation: also of its devices' certificates.

    name, root_name: "" gives one by itself. zone: the DNS zone of devices' names, "" for none. root_key: of the root,
    where none is there yet; it is in the same key store.
    """

    country: str
    organisation: str
    name: str = ""
    root_name: str = ""
    key: str = ISSUING_KEY
    root_key: str = ROOT_KEY
    keystore: str = "file"
    zone: str = ""


@dataclass(frozen=True)
class Hierarchy:
    """A bank's authority with its root. made: those that were made by this very call."""

    root: CertificateAuthority
    issuing: CertificateAuthority
    made: tuple[CertificateAuthority, ...] = ()


def set_up_bank(*, actor: Actor, bank: Bank, wanted: BankSetUp) -> Hierarchy:
    """Make a root if there is none, then the authority that issues for the bank, and its policy. A repeat makes
    nothing, whatever it wants.

    Raises Forbidden, InvalidInput, Unavailable `key-store`. Of two calls at once one makes it, the other finds it.
    """
    require_manage(actor)
    require_same_bank(actor, bank.pk)
    if found := CertificateAuthority.objects.issuing_for(bank.pk).select_related("parent").first():
        assert found.parent is not None  # noqa: S101  for the type checker: a constraint says so
        return Hierarchy(found.parent, found)
    _check(wanted)
    facts = AuthorityFacts(
        name=wanted.name or new_name(bank),
        country=wanted.country,
        organisation=wanted.organisation,
        key=wanted.key,
        keystore=wanted.keystore,
    )
    root_name = wanted.root_name or f"{wanted.organisation[: LONGEST_NAME - 5]} Root"
    root, made = _the_root(actor, replace(facts, name=root_name, key=wanted.root_key))
    try:
        issuing = create_issuing(actor=actor, bank=bank, parent=root, facts=facts, zone=wanted.zone)
    except Conflict:  # another call was faster
        return Hierarchy(root, CertificateAuthority.objects.issuing_for(bank.pk).get(), made)
    return Hierarchy(root, issuing, (*made, issuing))


def create_root(*, actor: Actor, facts: AuthorityFacts) -> CertificateAuthority:
    """Make the root. It signs authorities and nothing else.

    Raises Forbidden, InvalidInput (what would not lint), Unavailable `key-store` when the key cannot be made, and
    Conflict `root-exists`: there is one that signs.
    """
    require_manage(actor)
    return _stored(actor, make_authority(actor, facts, bank=None, parent=None), facts, None, _root_exists())


def create_issuing(
    *, actor: Actor, bank: Bank, parent: CertificateAuthority, facts: AuthorityFacts, zone: str = ""
) -> CertificateAuthority:
    """Make the authority that issues for a bank, and the bank's certificate policy where there is none yet.

    zone: of that policy. Raises Forbidden, InvalidInput, InvalidState `root-needed`, Unavailable `key-store`,
    Conflict `authority-exists`: a bank that has one rolls over.
    """
    require_manage(actor)
    if parent.role != CaRole.ROOT or parent.state != CaState.ACTIVE:
        raise InvalidState("Only an active root signs authorities.", code="root-needed")
    if CertificateAuthority.objects.issuing_for(bank.pk).exists():
        raise _exists()
    made = make_authority(actor, facts, bank=bank, parent=parent)
    policy = CertificatePolicy(
        bank=bank, organisation=facts.organisation, country=facts.country, zone=zone, updated_at=clock.now()
    )
    return _stored(actor, made, facts, policy, _exists())


@transaction.atomic
def end_retired(*, actor: Actor) -> int:
    """Close retired authorities of which everything has run out: nobody asks them anything any more.

    Returns how many there were. Our own sweep's work.
    """
    ended = 0
    retired = CertificateAuthority.objects.filter(state=CaState.RETIRING).order_by("pk")
    for authority in retired.select_for_update(of=("self",)):
        if not authority.still_answers(clock.now()):
            before = authority.move_to(CaState.ENDED)
            authority.save(update_fields=["state"])
            audit.record(actor, Event.CA_ENDED, authority, before={"state": before.value})
            ended += 1
    return ended


def new_name(bank: Bank) -> str:
    """A name that none of the bank's authorities has: two of one name could not be told apart in a chain."""
    number = CertificateAuthority.objects.filter(bank=bank).count() + 1
    ending = f" CA {number}"
    return bank.name.strip()[: LONGEST_NAME - len(ending)] + ending


def _check(wanted: BankSetUp) -> None:
    problems = [
        *subject_problems(wanted.organisation, "", wanted.country),
        *zone_problems(wanted.zone),
        *key_problems(wanted.key, wanted.keystore),
        *key_problems(wanted.root_key, wanted.keystore),
    ]
    if problems:
        raise InvalidInput(fields=tuple(problems))


def _the_root(actor: Actor, facts: AuthorityFacts) -> tuple[CertificateAuthority, tuple[CertificateAuthority, ...]]:
    active = CertificateAuthority.objects.filter(role=CaRole.ROOT, state=CaState.ACTIVE)
    if found := active.first():
        return found, ()
    try:
        root = create_root(actor=actor, facts=facts)
    except Conflict:
        return active.get(), ()
    return root, (root,)


def _stored(
    actor: Actor,
    made: CertificateAuthority,
    facts: AuthorityFacts,
    policy: CertificatePolicy | None,
    taken: Conflict,
) -> CertificateAuthority:
    try:
        with transaction.atomic():
            store_authority(actor, made, facts)
            if policy and not CertificatePolicy.objects.filter(pk=policy.pk).exists():
                policy.save(force_insert=True)
    except IntegrityError:
        raise taken from None
    return made


def _root_exists() -> Conflict:
    return Conflict("There is a root already.", code="root-exists")


def _exists() -> Conflict:
    return Conflict("This bank has an authority. Roll it over instead.", code="authority-exists")
