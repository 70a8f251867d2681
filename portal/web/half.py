"""Between password and second factor: a session that opens nothing but the two pages of the second step.

Nobody is signed in to Django yet, so no other page can take it for more than it is. It ends five minutes after the
password, whatever happens in it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.contrib.auth import login
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django_otp import login as otp_login

from portal.accounts.backends import StaffBackend
from portal.accounts.models import Passkey, TotpAuthenticator, User
from portal.accounts.operations.second_factor import Factor
from portal.core import clock
from portal.web import fresh
from portal.web.paths import HOME

LIFETIME: Final = timedelta(minutes=5)
KEY: Final = "half"
BACKEND: Final = "portal.accounts.backends.StaffBackend"


@dataclass(frozen=True)
class Half:
    """Somebody whose password was right. next: where to go when the second factor is right too."""

    person: User
    next: str

    @property
    def is_enrolled(self) -> bool:
        """Whether an authenticator was set up and confirmed."""
        return bool(TotpAuthenticator.objects.filter(user=self.person, confirmed=True).exists())


def begin(request: HttpRequest, person: User, wanted: str) -> None:
    """Remember the right password, in a session with a new key."""
    request.session.flush()
    request.session[KEY] = {
        "person": str(person.pk),
        "at": int(clock.now().timestamp()),
        "password": person.get_session_auth_hash(),
        "next": wanted,
    }


def current(request: HttpRequest) -> Half | None:
    """Who is half signed in; None after five minutes, and where a suspension or a new password came meanwhile."""
    kept = request.session.get(KEY)
    if kept is None:
        return None
    person = None
    if clock.now().timestamp() - kept["at"] < LIFETIME.total_seconds():
        person = StaffBackend().get_user(kept["person"])
    if person is None or not constant_time_compare(kept["password"], person.get_session_auth_hash()):
        request.session.flush()
        return None
    return Half(person, kept["next"] or HOME)


def complete(request: HttpRequest, half: Half, authenticator: TotpAuthenticator | Passkey, kind: Factor) -> None:
    """Sign the person in: both factors were right. The session and the form token get new keys."""
    request.session.flush()
    login(request, half.person, backend=BACKEND)
    otp_login(request, authenticator)
    fresh.stamp(request, half.person, kind)
