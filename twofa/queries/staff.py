"""Reads about staff and their second factors."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count

from portal.accounts.models import Passkey, PortalSession, TotpAuthenticator, User
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.approvals.models import ApprovalRequest
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25
RESET: Final = "staff.reset-second-factor"  # the operation that waits for a second person


@dataclass(frozen=True)
class Colleague:
    """A member of staff with what proves them. waiting: whether a reset waits for a second person."""

    user: User
    has_app: bool
    passkeys: int
    sessions: int
    waiting: bool

    @property
    def is_enrolled(self) -> bool:
        return self.has_app or self.passkeys > 0


def staff_page(actor: Actor, cursor: str | None = None) -> Page[Colleague]:
    """25 members of the bank's staff to a page, by name, in five queries. Raises Forbidden."""
    require_capability(actor, Capability.STAFF_MANAGE)
    people = User.objects.visible_to(actor).staff()
    page = keyset_page(people, cursor, fields=("name", "id"), size=PAGE_SIZE, ascending=True)
    shown = _colleagues(actor, list(page.items))
    return Page(tuple(shown), next_cursor=page.next_cursor, previous_cursor=page.previous_cursor)


def get_colleague(actor: Actor, user_id: UUID) -> Colleague:
    """One active member of the bank's staff. Raises Forbidden, NotFound."""
    require_capability(actor, Capability.STAFF_MANAGE)
    found = User.objects.visible_to(actor).staff().filter(pk=user_id, is_active=True).first()
    if found is None:
        raise NotFound("There is no such colleague.")
    return _colleagues(actor, [found])[0]


def _colleagues(actor: Actor, people: list[User]) -> list[Colleague]:
    keys = [user.pk for user in people]
    apps = set(TotpAuthenticator.objects.filter(user__in=keys, confirmed=True).values_list("user_id", flat=True))
    passkeys = dict(Passkey.objects.filter(user__in=keys).values_list("user_id").annotate(Count("pk")).order_by())
    live = PortalSession.objects.live().filter(user__in=keys)
    sessions = dict(live.values_list("user_id").annotate(Count("pk")).order_by())
    asked = ApprovalRequest.objects.visible_to(actor).filter(operation=RESET).open()
    waiting = set(asked.values_list("object_id", flat=True))
    return [
        Colleague(user, user.pk in apps, passkeys.get(user.pk, 0), sessions.get(user.pk, 0), str(user.pk) in waiting)
        for user in people
    ]
