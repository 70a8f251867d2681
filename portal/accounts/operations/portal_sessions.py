"""A member of staff's sessions in their browsers: seeing them, ending them."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from portal.accounts.models import PortalSession, User, session_digest
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import NotFound


@dataclass(frozen=True)
class SessionInfo:
    """One live session, for its owner to look at. `id` opens nothing; it only names the session to be ended."""

    id: str
    is_current: bool
    began_at: datetime
    last_seen_at: datetime
    ip: str
    user_agent: str


def list_sessions(*, user: User, current_key: str | None) -> list[SessionInfo]:
    """The person's live sessions, the current one first, then by last use. `current_key` is the cookie's value."""
    current = session_digest(current_key or "")
    rows = PortalSession.objects.live().of_person(user.pk).order_by("-last_seen_at")
    found = [
        SessionInfo(row.pk, row.pk == current, row.created_at, row.last_seen_at, row.ip or "", row.user_agent)
        for row in rows
    ]
    return sorted(found, key=lambda session: not session.is_current)


@transaction.atomic
def end_session(*, actor: Actor, session_id: str) -> None:
    """End one of one's own sessions, now. One that is not there (any more) or somebody else's: NotFound."""
    mine = PortalSession.objects.live().of_person(actor.user_id).filter(pk=session_id)
    if not mine.delete()[0]:
        raise NotFound("There is no such session.")
    _record(actor, ended=1, why="ended")


@transaction.atomic
def end_other_sessions(*, actor: Actor, current_key: str | None) -> int:
    """End all of one's sessions but the current one; returns how many. A repeat ends none and leaves no event."""
    others = PortalSession.objects.live().of_person(actor.user_id)
    ended = others.exclude(pk=session_digest(current_key or "")).delete()[0]
    if ended:
        _record(actor, ended=ended, why="others ended")
    return ended


@transaction.atomic
def end_all_sessions(*, actor: Actor) -> int:
    """End all of one's sessions, the current one too; returns how many. A repeat ends none and leaves no event."""
    ended = PortalSession.objects.live().of_person(actor.user_id).delete()[0]
    if ended:
        _record(actor, ended=ended, why="all ended")
    return ended


@transaction.atomic
def sign_out(*, actor: Actor, current_key: str | None) -> None:
    """End the current session. Signing out twice is quiet."""
    if PortalSession.objects.of_person(actor.user_id).with_key(current_key).delete()[0]:
        _record(actor, ended=1, why="signed out")


def _record(actor: Actor, *, ended: int, why: str) -> None:
    user = None if actor.user_id is None else User.objects.filter(pk=actor.user_id).first()
    audit.record(actor, Event.SESSION_ENDED, user, details={"ended": ended, "how": why})
