"""Ordering a new authority in an old one's place. Two people decide, and `roll_over_work` carries it out."""

from typing import Any, Final

from pki.models import CertificateAuthority, RollOver
from pki.operations.authority_making import LONGEST_NAME, key_problems
from pki.operations.hierarchy import new_name
from pki.policies import require_manage
from pki.states import CaRole, CaState, RollOverState
from portal import jobs
from portal.accounts.models import Bank
from portal.accounts.policies import require_reason
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState, NotFound, SecondPersonNeeded
from portal.races import retried_on_conflict

NAME: Final = "pki.roll-over"
JOB: Final = "pki.roll_over"


def _names(about: Any) -> dict[str, object]:
    return {"authority_id": about.public_id}


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    old = find_authority(actor, arguments["authority_id"])
    live = old.certificates.live().count()
    return [
        (None, f"A new authority, {arguments['name'] or _next_name(old)}, issues from then on"),
        (None, f"Its key is made anew ({arguments['key']}, {arguments['keystore']})"),
        (None, f"{old.name} issues nothing any more; it goes on revoking, and publishes its CRL and OCSP answers"),
        (live, "certificates of the old authority stay good until they are rotated or run out"),
    ]


def _facts(result: Any) -> dict[str, object]:
    return {"new_authority": result.name}


@four_eyes(
    FourEyes(
        name=NAME,
        label="Roll over a certificate authority",
        always="A new authority always takes two people.",
        optional=False,
        names=_names,
        preview=_preview,
        facts=_facts,
    )
)
@retried_on_conflict
def order_roll_over(
    *, actor: Actor, authority_id: str, reason: str, key: str = "p256", keystore: str = "file", name: str = ""
) -> RollOver:
    """Order a new authority in the place of one that issues. A worker makes it soon afterwards.

    authority_id: `CA_…`. key: a kind of `keys_policy.KINDS`. keystore: one that is set up. name: up to 64 characters,
    one that none of the bank's authorities has; "" for the next number. Takes a second person, but from our own
    commands. Raises Forbidden, NotFound, InvalidInput, InvalidState `authority-not-active`, Conflict
    `roll-over-pending` for a repeat, and ApprovalRequired.
    """
    require_manage(actor)
    require_reason(reason)
    old = find_authority(actor, authority_id, lock=True)
    if old.role != CaRole.ISSUING or old.state != CaState.ACTIVE:
        raise InvalidState("Only the authority that issues for a bank is rolled over.", code="authority-not-active")
    name = _checked_name(old, name)
    if problems := key_problems(key, keystore):
        raise InvalidInput(fields=tuple(problems))
    if RollOver.objects.filter(old=old, state=RollOverState.WAITING).exists():
        raise Conflict("This authority is being rolled over already.", code="roll-over-pending")
    if not actor.is_system and not actor.approved_for(NAME):
        raise SecondPersonNeeded("A new authority takes two people.", about=old)
    now = clock.now()
    roll_over = RollOver(
        bank=_bank_of(old), old=old, name=name, key=key, keystore=keystore, ordered_at=now, next_try_at=now
    )
    roll_over.save(force_insert=True)
    details = {"name": name, "key": key, "keystore": keystore}
    audit.record(actor, Event.CA_ROLL_OVER_ORDERED, old, reason=reason, details=details)
    jobs.ring(JOB, roll_over.pk)
    return roll_over


def find_authority(actor: Actor, authority_id: str, *, lock: bool = False) -> CertificateAuthority:
    """The authority that `CA_…` names. Raises NotFound: foreign ones look unknown."""
    rows = CertificateAuthority.objects.visible_to(actor)
    found = (rows.select_for_update(of=("self",)) if lock else rows).named(authority_id).first()
    if found is None:
        raise NotFound("There is no such authority.")
    return found


def _next_name(old: CertificateAuthority) -> str:
    return new_name(_bank_of(old))


def _bank_of(old: CertificateAuthority) -> Bank:
    assert old.bank is not None  # noqa: S101  for the type checker: issuing authorities have a bank
    return old.bank


def _checked_name(old: CertificateAuthority, name: str) -> str:
    if not name:
        return _next_name(old)
    if name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise InvalidInput.at("name", "invalid-format", f"A line of up to {LONGEST_NAME} characters.")
    if CertificateAuthority.objects.filter(bank=_bank_of(old), name=name).exists():
        raise InvalidInput.at("name", "name-taken", "Another authority of the bank has this name.")
    return name
