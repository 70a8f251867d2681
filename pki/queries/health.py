"""How lists and answers are doing: for the health page, for metrics and for readiness."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Max, Min, OuterRef, Q, QuerySet, Subquery

from pki.models import Certificate, CertificateAuthority, CrlChange, OcspResponder, PublishedCrl
from pki.models.authorities import CertificateAuthorityQuerySet
from pki.policies import require_read
from pki.states import ANSWERED
from portal.core import clock
from portal.core.actor import Actor

CHANGE_LIMIT: Final = timedelta(minutes=5)  # a change may wait so long for its list; the sweep comes every minute
RESPONDER_LIMIT: Final = timedelta(days=5)  # ten are left when its renewal is due


@dataclass(frozen=True)
class AuthorityHealth:
    """One authority's list, answers and responder.

    number, made_at, next_at, entries: of the list that is served; None where there is none. waiting, waits_since:
    changes that no list says yet. answered, unanswered: certificates with and without a stored answer that is good;
    those without are answered on the spot. responder_until: None where nobody asked yet.
    """

    authority: CertificateAuthority
    number: int | None
    made_at: datetime | None
    next_at: datetime | None
    entries: int
    waiting: int
    waits_since: datetime | None
    answered: int
    unanswered: int
    responder_until: datetime | None

    def list_state(self, now: datetime) -> str:
        """`ok`, `late`, or `down`: the list that is served is over, so nobody who looks at it goes on."""
        if self.next_at is None or self.next_at <= now:
            return "down"
        return "late" if self.waits_since and self.waits_since < now - CHANGE_LIMIT else "ok"

    def answers_state(self, now: datetime) -> str:
        """`ok`, or `late` while the sweep has still to sign some."""
        return "late" if self.unanswered else "ok"

    def responder_state(self, now: datetime) -> str:
        """`ok` also where there is none yet: it is made with the first answer."""
        if self.responder_until is None or self.responder_until > now + RESPONDER_LIMIT:
            return "ok"
        return "late" if self.responder_until > now else "down"


@dataclass(frozen=True)
class Standing:
    """All authorities together. overdue: those whose list is over or missing."""

    overdue: int
    waiting: int
    waits_since: datetime | None


def authority_health(actor: Actor) -> list[AuthorityHealth]:
    """Of each authority that the actor sees and that still answers; the root first. Four queries, however many.

    Raises Forbidden.
    """
    require_read(actor)
    rows = list(_with_list(CertificateAuthority.objects.visible_to(actor)).order_by("-role", "name", "created_at"))
    keys = [row.pk for row in rows]
    changes, answers, responders = _changes(keys), _answers(keys), _responders(keys)
    return [
        AuthorityHealth(
            authority=row,
            number=row.list_number,  # type: ignore[attr-defined]  # annotated
            made_at=row.list_made_at,  # type: ignore[attr-defined]
            next_at=row.list_next_at,  # type: ignore[attr-defined]
            entries=row.list_entries or 0,  # type: ignore[attr-defined]
            waiting=changes.get(row.pk, (0, None))[0],
            waits_since=changes.get(row.pk, (0, None))[1],
            answered=answers.get(row.pk, (0, 0))[0],
            unanswered=answers.get(row.pk, (0, 0))[1],
            responder_until=responders.get(row.pk),
        )
        for row in rows
    ]


def standing() -> Standing:
    """How the lists of the whole portal are, for machines. Two queries."""
    now = clock.now()
    answering = CertificateAuthority.objects.answering().filter(not_after__gt=now)
    newest = Subquery(_newest().values("next_update")[:1])
    lists = answering.annotate(next_at=newest).values_list("next_at", flat=True)
    waiting = CrlChange.objects.aggregate(count=Count("pk"), since=Min("made_at"))
    overdue = sum(next_at is None or next_at <= now for next_at in lists)
    return Standing(overdue, waiting["count"], waiting["since"])


def _newest() -> QuerySet[PublishedCrl]:
    return PublishedCrl.objects.filter(authority=OuterRef("pk")).order_by("-number")


def _with_list(rows: CertificateAuthorityQuerySet) -> CertificateAuthorityQuerySet:
    newest = _newest()
    return rows.answering().annotate(
        list_number=Subquery(newest.values("number")[:1]),
        list_made_at=Subquery(newest.values("this_update")[:1]),
        list_next_at=Subquery(newest.values("next_update")[:1]),
        list_entries=Subquery(newest.values("entries")[:1]),
    )


def _changes(keys: Iterable[UUID]) -> Mapping[UUID, tuple[int, datetime | None]]:
    rows = CrlChange.objects.filter(authority_id__in=keys).values("authority_id").order_by()
    counted = rows.annotate(count=Count("pk"), since=Min("made_at"))
    return {row["authority_id"]: (row["count"], row["since"]) for row in counted}


def _answers(keys: Iterable[UUID]) -> Mapping[UUID, tuple[int, int]]:
    now = clock.now()
    good = Q(ocsp_answer__next_update__gt=now)
    rows = Certificate.objects.filter(authority_id__in=keys, state__in=ANSWERED, not_after__gt=now)
    counted = rows.values("authority_id").order_by().annotate(good=Count("pk", filter=good), every=Count("pk"))
    return {row["authority_id"]: (row["good"], row["every"] - row["good"]) for row in counted}


def _responders(keys: Iterable[UUID]) -> Mapping[UUID, datetime]:
    rows = OcspResponder.objects.filter(authority_id__in=keys, der__isnull=False).values("authority_id").order_by()
    return {row["authority_id"]: row["until"] for row in rows.annotate(until=Max("not_after"))}
