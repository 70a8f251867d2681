"""Pausing an authority's rotations, and how many a minute it may sign."""

from uuid import UUID

from django.db import transaction

from pki.models import CertificateAuthority
from pki.operations.rotations import BATCH_TASK
from pki.policies import require_manage
from pki.states import CaRole, CaState
from portal import jobs
from portal.accounts.policies import require_reason
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, InvalidState, NotFound

HIGHEST_RATE = 60_000  # a minute; far above what any key store signs


@transaction.atomic
def pause_rotations(*, actor: Actor, authority_id: UUID, reason: str) -> CertificateAuthority:
    """Let no worker renew certificates of the authority's bank. What a device sends itself goes on.

    Nothing is lost: what is due waits. reason: 1 to 500 characters. A repeat changes nothing. Raises Forbidden,
    InvalidInput, NotFound, InvalidState `authority-not-active`.
    """
    require_manage(actor)
    authority = _lock(actor, authority_id, reason)
    if authority.paused_at is not None:
        return authority
    authority.paused_at = clock.now()
    authority.save(update_fields=["paused_at"])
    audit.record(actor, Event.ROTATION_PAUSED, authority, after={"paused": True}, reason=reason)
    return authority


@transaction.atomic
def resume_rotations(*, actor: Actor, authority_id: UUID, reason: str) -> CertificateAuthority:
    """Let rotations go on, the most urgent first. A repeat changes nothing. Raises as `pause_rotations`."""
    require_manage(actor)
    authority = _lock(actor, authority_id, reason)
    if authority.paused_at is None:
        return authority
    authority.paused_at = None
    authority.save(update_fields=["paused_at"])
    audit.record(actor, Event.ROTATION_RESUMED, authority, after={"paused": False}, reason=reason)
    jobs.ring(BATCH_TASK, authority.pk)
    return authority


@transaction.atomic
def set_rotation_rate(*, actor: Actor, authority_id: UUID, rate: int, reason: str) -> CertificateAuthority:
    """How many certificates a minute rotation may sign, over all workers together: 1 to 60,000.

    The same rate again changes nothing. Raises as `pause_rotations`.
    """
    require_manage(actor)
    if not 1 <= rate <= HIGHEST_RATE:
        raise InvalidInput.at("rate", "out-of-range", f"From 1 to {HIGHEST_RATE:,} a minute.")
    authority = _lock(actor, authority_id, reason)
    before = authority.rotation_rate
    if before == rate:
        return authority
    authority.rotation_rate = rate
    authority.save(update_fields=["rotation_rate"])
    change = {"before": {"per_minute": before}, "after": {"per_minute": rate}}
    audit.record(actor, Event.ROTATION_RATE_CHANGED, authority, **change, reason=reason)
    return authority


def _lock(actor: Actor, authority_id: UUID, reason: str) -> CertificateAuthority:
    require_reason(reason)
    rows = CertificateAuthority.objects.visible_to(actor).filter(role=CaRole.ISSUING)
    authority = rows.select_for_update(of=("self",)).filter(pk=authority_id).first()
    if authority is None:
        raise NotFound("There is no such authority.")
    if authority.state != CaState.ACTIVE:
        raise InvalidState("This authority issues no certificates any more.", code="authority-not-active")
    return authority
