"""Signing in at the portal: the password. The second factor follows in `second_factor`.

Five wrong passwords for one name from one address lock that pair for AXES_COOLOFF_TIME (django-axes, in the
database); so do too many for one name from everywhere, and too many from one address for all names. Which of them it
was, and whether there is such a name, nobody is told.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import authenticate
from django.db.models import QuerySet, Sum

from portal.accounts.models import User
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Locked, VerificationFailed

WRONG = "The user name or the password is not right."
LOCKED = "Too many attempts. Try again in {minutes:.0f} minutes."
# Wrong ones inside AXES_COOLOFF_TIME. NIST SP 800-63B 5.2.2 allows 100 in a row for an account.
MOST_FOR_A_NAME: Final = 30  # six addresses, each up to its own lock
MOST_FROM_AN_ADDRESS: Final = 100  # an office may share one


class _Attempt:
    """What django-axes wants to see of a request: where the attempt comes from. It sees no form and no password."""

    method = "POST"
    path = "/sign-in"
    axes_locked_out = False

    def __init__(self, ip: str, user_agent: str) -> None:
        self.META = {"REMOTE_ADDR": ip, "HTTP_USER_AGENT": user_agent, "PATH_INFO": self.path}
        self.GET: dict[str, str] = {}
        self.POST: dict[str, str] = {}


def check_password(*, actor: Actor, username: str, password: str, user_agent: str = "") -> User:
    """The active member of staff with this name and password. Nobody is signed in by it yet.

    actor: anonymous, with the caller's address. Raises VerificationFailed in the same words and time for a wrong
    password, an unknown name, a suspended person and a customer, and Locked after the fifth. Each is written down;
    an unknown name is not, because people type passwords into the wrong field.
    """
    username = username.strip()[:64] if username.isprintable() else ""
    attempt = _Attempt(actor.ip, user_agent)
    user = None
    if _is_flooded(actor, username):
        attempt.axes_locked_out = True
    else:
        user = authenticate(attempt, username=username, password=password)  # type: ignore[arg-type]
    if isinstance(user, User):
        AxesProxyHandler.reset_attempts(ip_address=actor.ip, username=username)
        return user
    _write_down(actor, User.objects.who_signs_in(username), locked=attempt.axes_locked_out)
    if attempt.axes_locked_out:
        raise Locked(LOCKED.format(minutes=settings.AXES_COOLOFF_TIME * 60), code="sign-in-locked")
    raise VerificationFailed(WRONG, code="sign-in-wrong")


def _is_flooded(actor: Actor, username: str) -> bool:
    """Whether there were too many wrong ones of late for this name, or from this address."""
    recent = AccessAttempt.objects.filter(attempt_time__gt=clock.now() - timedelta(hours=settings.AXES_COOLOFF_TIME))
    for_name, from_address = recent.filter(username=username), recent.filter(ip_address=actor.ip or None)
    return _wrong_in(for_name) >= MOST_FOR_A_NAME or _wrong_in(from_address) >= MOST_FROM_AN_ADDRESS


def _wrong_in(attempts: QuerySet[AccessAttempt]) -> int:
    return int(attempts.aggregate(wrong=Sum("failures_since_start"))["wrong"] or 0)


def _write_down(actor: Actor, target: User | None, *, locked: bool) -> None:
    if target is not None:
        actor = replace(actor, label=target.name, bank_id=target.bank_id)
    if locked:
        audit.refuse_limited(actor, Event.SIGN_IN_REFUSED, code="sign-in-locked")
        return
    audit.refuse(
        actor,
        Event.SIGN_IN_REFUSED,
        code="sign-in-wrong",
        object_type="" if target is None else "user",
        object_id="" if target is None else str(target.pk),
        object_label="" if target is None else target.name,
    )
