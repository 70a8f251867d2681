"""Reads about authorities: the tree, one of them with what hangs on it, and what is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count

from pki.models import Certificate, CertificateAuthority, CertificatePolicy, RollOver
from pki.models.authorities import CertificateAuthorityQuerySet
from pki.policies import require_read
from pki.policy_values import CHANGE_POLICY, wanted_of
from pki.states import LIVE, NEVER_ISSUED, CaRole
from pki.x509.profiles import REQUESTABLE
from portal.approvals.models import ApprovalRequest
from portal.approvals.payloads import PayloadBroken, open_payload
from portal.approvals.queries import open_about
from portal.core.actor import Actor
from portal.core.errors import NotFound

type Counts = Mapping[str, int]


@dataclass(frozen=True)
class Branch:
    """A root, or an authority under it, with how many of its bank's certificates are in which state."""

    authority: CertificateAuthority
    counts: Counts
    children: list["Branch"] = field(default_factory=list)


def authority_tree(actor: Actor) -> list[Branch]:
    """The roots, each with the authorities of the actor's bank under it, the newest first. Two queries."""
    authorities = list(_readable(actor).order_by("-created_at", "-pk"))
    counts = _counts(actor)
    branches = {one.pk: Branch(one, counts.get(one.pk, {})) for one in authorities}
    for one in authorities:
        if one.parent_id in branches:
            branches[one.parent_id].children.append(branches[one.pk])
    return [branches[one.pk] for one in authorities if one.role == CaRole.ROOT]


def get_authority(actor: Actor, authority_id: UUID) -> CertificateAuthority:
    """One authority with its parent. Raises NotFound: foreign ones look unknown."""
    found = _readable(actor).select_related("parent").filter(pk=authority_id).first()
    if found is None:
        raise NotFound("There is no such authority.")
    return found


def chain_of(authority: CertificateAuthority) -> list[CertificateAuthority]:
    """The authority and what is above it, the root last."""
    return [authority, authority.parent] if authority.parent else [authority]


def counts_of(actor: Actor, authority: CertificateAuthority) -> Counts:
    """How many of its bank's certificates are in which state. One query."""
    return _counts(actor, authority).get(authority.pk, {})


def count_live(counts: Counts) -> int:
    """How many of them are good."""
    return sum(counts.get(state, 0) for state in LIVE)


def count_issued(counts: Counts) -> int:
    """How many were ever signed."""
    return sum(number for state, number in counts.items() if state not in NEVER_ISSUED)


def cut_short_from(authority: CertificateAuthority) -> datetime:
    """From then on its certificates end with it, earlier than their profile says: roll it over before."""
    return authority.not_after - timedelta(days=max(profile.max_days for profile in REQUESTABLE.values()))


def newest_roll_over(authority: CertificateAuthority) -> RollOver | None:
    """The order to replace it, if there ever was one. One query."""
    return RollOver.objects.filter(old=authority).select_related("new").order_by("-ordered_at").first()


def policy_for(actor: Actor) -> CertificatePolicy | None:
    """The bank's policy, for who may look; None while it has no authority. One query."""
    require_read(actor)
    return CertificatePolicy.objects.filter(bank_id=actor.bank_id).first() if actor.bank_id else None


def asked_change(actor: Actor, policy: CertificatePolicy) -> tuple[ApprovalRequest, dict[str, object]] | None:
    """What waits for a second person, and the values it asks for. None for who may not look at requests."""
    for request in open_about(actor, policy):
        if request.operation == CHANGE_POLICY:
            try:
                return request, wanted_of(open_payload(request).arguments)
            except (PayloadBroken, KeyError):
                return None
    return None


def _readable(actor: Actor) -> CertificateAuthorityQuerySet:
    require_read(actor)
    return CertificateAuthority.objects.visible_to(actor)


def _counts(actor: Actor, authority: CertificateAuthority | None = None) -> dict[UUID, dict[str, int]]:
    rows = Certificate.objects.visible_to(actor)
    if authority is not None:
        rows = rows.filter(authority=authority)
    found: dict[UUID, dict[str, int]] = {}
    for row in rows.order_by().values("authority_id", "state").annotate(number=Count("pk")):
        found.setdefault(row["authority_id"], {})[row["state"]] = row["number"]
    return found
