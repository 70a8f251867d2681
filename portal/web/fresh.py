"""When this browser's person last proved the second factor: kept in the session, beside who is signed in."""

from typing import Final

from django.http import HttpRequest

from portal.accounts.models import User
from portal.accounts.operations.second_factor import FRESH, Factor, Verified
from portal.core import clock

KEY: Final = "fresh"


def stamp(request: HttpRequest, person: User, kind: Factor) -> None:
    """Remember that the second factor was right just now, at sign-in or since."""
    request.session[KEY] = {"person": str(person.pk), "at": clock.now().timestamp(), "kind": kind.value}


def proof_of(request: HttpRequest, person: User) -> Verified | None:
    """What was proved in the last five minutes in this session; None where nothing was."""
    kept = request.session.get(KEY)
    authenticator = getattr(person, "otp_device", None)
    if kept is None or authenticator is None or kept["person"] != str(person.pk):
        return None
    now = clock.now()
    at = now.fromtimestamp(kept["at"], tz=now.tzinfo)
    if not at <= now <= at + FRESH:
        return None
    return Verified(person.pk, at, Factor(kept["kind"]), authenticator, backup_codes_left=0)
