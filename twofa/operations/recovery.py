"""Taking a colleague's second factor away, so that they set up a new one. Always by two people."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.template.loader import render_to_string

from portal.accounts.models import AccessToken, BackupCode, Passkey, PortalSession, TotpAuthenticator, User
from portal.accounts.models.people import UserQuerySet
from portal.accounts.operations.people import contact_of
from portal.accounts.policies import require_capability, require_reason
from portal.accounts.roles import Capability
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState, NotFound, SecondPersonNeeded
from portal.outbox import operations as outbox
from portal.outbox.models import MessageKind
from twofa.queries.staff import RESET


@dataclass(frozen=True)
class Taken:
    """What a reset takes away, counted."""

    apps: int
    passkeys: int
    backup_codes: int
    sessions: int
    tokens: int

    @property
    def is_enrolled(self) -> bool:
        return bool(self.apps or self.passkeys or self.backup_codes)


@dataclass(frozen=True)
class Reset:
    """A reset that was carried out."""

    user: User
    taken: Taken


def what_ends(user: User) -> Taken:
    """What a reset would take away now. Five queries."""
    return Taken(
        apps=TotpAuthenticator.objects.filter(user=user).count(),
        passkeys=Passkey.objects.filter(user=user).count(),
        backup_codes=BackupCode.objects.filter(user=user, used_at=None).count(),
        sessions=PortalSession.objects.live().of_person(user.pk).count(),
        tokens=AccessToken.objects.live().filter(user=user).count(),
    )


def lines_of(taken: Taken) -> Preview:
    """The same for people to read; what there is none of is left out."""
    lines = [
        (taken.apps, "authenticator app", "forgotten"),
        (taken.passkeys, "passkey", "forgotten"),
        (taken.backup_codes, "unused backup code", "ended"),
        (taken.sessions, "session", "ended"),
        (taken.tokens, "API token", "ended"),
    ]
    return [(count, f"{name}{'' if count == 1 else 's'} {what}") for count, name, what in lines if count]


def what_happens(user: User) -> Preview:
    """What a reset would do now, in lines; none where there is nothing to take away."""
    lines = lines_of(what_ends(user))
    if lines and contact_of(user).email:
        lines.append((1, "e-mail to the person"))
    elif lines:
        lines.append((None, "Nobody is told: the person has no e-mail address on file."))
    return lines


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    user = _colleagues(actor).filter(pk=arguments["user_id"]).first()
    if user is None:
        return [(None, "Nothing: there is no such person any more.")]
    new = "At the next sign-in the password is enough to set up a new second factor."
    return [(None, f"{user.name} ({user.username})"), *what_happens(user), (None, new)]


@four_eyes(
    FourEyes(
        name=RESET,
        label="Take a colleague's second factor away",
        always="Always: who has the password could sign in then.",
        optional=False,
        names=lambda user: {"user_id": str(user.pk)},
        preview=_preview,
        facts=lambda reset: {"user_id": str(reset.user.pk), "username": reset.user.username},
    )
)
@transaction.atomic
def reset_second_factor(*, actor: Actor, user_id: str, reason: str) -> Reset:
    """Forget a colleague's authenticator app, passkeys and backup codes, and end their sessions and tokens.

    They are told by e-mail, and set up a new one at their next sign-in. user_id: of active staff of the same bank,
    never one's own. reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound, InvalidState
    `second-factor-not-enrolled` (also for a repeat), and ApprovalRequired.
    """
    require_capability(actor, Capability.STAFF_MANAGE)
    require_reason(reason)
    user = _lock_colleague(actor, user_id)
    if user.pk == actor.user_id:
        raise Forbidden("Somebody else has to ask for this.", code="not-oneself")
    taken = what_ends(user)
    if not taken.is_enrolled:
        raise InvalidState("There is no second factor to take away.", code="second-factor-not-enrolled")
    if not actor.approved_for(RESET):
        raise SecondPersonNeeded("A second factor is taken away by two people.", about=user)
    _take(user)
    _tell(user)
    audit.record(actor, Event.SECOND_FACTOR_RESET, user, reason=reason, details=vars(taken))
    return Reset(user, taken)


def _lock_colleague(actor: Actor, user_id: str) -> User:
    """The row of active staff of the actor's bank, locked. Raises NotFound."""
    try:
        key = UUID(user_id)
    except ValueError:
        raise NotFound("There is no such colleague.") from None
    found = _colleagues(actor).select_for_update(of=("self",)).filter(pk=key).first()
    if found is None:
        raise NotFound("There is no such colleague.")
    return found


def _colleagues(actor: Actor) -> UserQuerySet:
    return User.objects.visible_to(actor).staff().filter(is_active=True)


def _tell(user: User) -> None:
    """Write to the address on file, so that a reset that nobody wanted is noticed. Without one nothing is written."""
    email = contact_of(user).email
    if not email:
        return
    body = render_to_string("twofa/notices/second-factor-reset.txt", {"name": user.name, "at": clock.now()})
    outbox.write(
        bank_id=user.bank_id,
        kind=MessageKind.EMAIL,
        recipient=email,
        template="second-factor-reset",
        subject="Your second factor was taken away",
        body=body.strip(),
        about=user,
    )


def _take(user: User) -> None:
    PortalSession.objects.of_person(user.pk).delete()
    AccessToken.objects.filter(user=user).end()
    Passkey.objects.filter(user=user).delete()
    BackupCode.objects.filter(user=user).delete()
    TotpAuthenticator.objects.filter(user=user).delete()
