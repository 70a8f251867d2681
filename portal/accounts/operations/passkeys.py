"""Passkeys of staff: adding and removing them, and proving one as the second factor.

A challenge is good for one answer, of one person, in one browser's session, for one purpose, for five minutes. A
wrong answer counts like a wrong code, and is followed by the same wait.
"""

import secrets
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from portal.accounts import policies
from portal.accounts.models import BackupCode, Passkey, PasskeyChallenge, User, session_digest
from portal.accounts.operations import second_factor
from portal.accounts.operations.second_factor import Factor, Verified
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, NotFound, VerificationFailed
from portal.core.texts import line_problems
from portal.crypto import passkeys as crypto

LIFETIME: Final = timedelta(minutes=5)
MOST: Final = 10  # passkeys of one person
MOST_OPEN: Final = 5  # challenges of one person; the oldest goes
LONGEST_NAME: Final = 64


class Purpose(StrEnum):
    """What an answer is for. One that was asked for one of them is nothing for the others."""

    ADD = "add"
    SIGN_IN = "sign-in"
    STEP_UP = "step-up"


def passkeys_of(user: User) -> list[Passkey]:
    """A person's passkeys, in the order they were added."""
    return list(Passkey.objects.filter(user=user, confirmed=True).order_by("created_at", "pk"))


def start_adding(*, actor: Actor, user: User, proof: Verified | None, session: str) -> str:
    """What the browser is to make, as JSON. session: its cookie's value, here and below.

    Raises Forbidden `not-yourself`, `second-factor-needed`.
    """
    policies.require_self(actor, user.pk)
    second_factor.require_fresh(actor, proof)
    person = crypto.Person(user.pk.bytes, user.username or "", user.name)
    return crypto.registration_options(_site(), person, _challenge(user, Purpose.ADD, session), _ids(user))


def add_passkey(*, actor: Actor, user: User, name: str, answer: str, proof: Verified | None, session: str) -> Passkey:
    """Keep the passkey that the browser made. name: 1 to 64 characters. answer: the browser's JSON.

    Raises InvalidInput, Forbidden as `start_adding`, InvalidState for somebody without an authenticator app, Conflict
    (`passkey-known`, `too-many-passkeys`), VerificationFailed `passkey-wrong`.
    """
    policies.require_self(actor, user.pk)
    second_factor.require_fresh(actor, proof)
    name = name.strip()
    if problems := line_problems("name", name, longest=LONGEST_NAME, required=True):
        raise InvalidInput(fields=tuple(problems))
    try:
        made = crypto.check_registration(_site(), _take(user, Purpose.ADD, session, answer), answer)
    except crypto.Refused:
        raise _wrong() from None
    return _keep(actor, user, name, made)


@transaction.atomic
def remove_passkey(*, actor: Actor, passkey_id: UUID, proof: Verified | None) -> None:
    """Take one of one's own passkeys away. Somebody else's and one that is gone: NotFound.

    Sessions that it opened end. Raises Forbidden `second-factor-needed`.
    """
    second_factor.require_fresh(actor, proof)
    found = Passkey.objects.select_for_update(of=("self",)).filter(pk=passkey_id, user_id=actor.user_id).first()
    if found is None:
        raise NotFound("There is no such passkey.")
    audit.record(actor, Event.PASSKEY_REMOVED, found.user, before={"passkey": found.name})
    found.delete()


def start_proving(*, actor: Actor, user: User, purpose: Purpose, session: str) -> str:
    """What the browser is to sign, as JSON; "" for somebody without a passkey. Raises Forbidden `not-yourself`."""
    policies.require_self(actor, user.pk)
    known = _ids(user)
    return crypto.assertion_options(_site(), _challenge(user, purpose, session), known) if known else ""


def verify_passkey(*, actor: Actor, user: User, answer: str, purpose: Purpose, session: str) -> Verified:
    """Check what a passkey signed; at sign-in also write that the person is in.

    Raises VerificationFailed `passkey-wrong` (always in the same words), RateLimited while the wait after a wrong one
    lasts, InvalidState for somebody without an authenticator app, Forbidden for somebody else's.
    """
    policies.require_self(actor, user.pk)
    with transaction.atomic(durable=True):
        authenticator = second_factor.lock_authenticator(user, confirmed=True)
        wait = second_factor.seconds_to_wait(authenticator)
        found = None if wait else _proved(user, purpose, session, answer)
        if found is not None:
            second_factor.forget_failures(authenticator)
            if purpose is Purpose.SIGN_IN:
                second_factor.record_sign_in(actor, user, Factor.PASSKEY)
        elif not wait:
            second_factor.count_failure(actor, user, authenticator, code="passkey-wrong")
        left = BackupCode.objects.filter(user=user, used_at=None).count()
    if found is None:
        raise second_factor.refused(actor, wait) if wait else _wrong(audited=True)
    return Verified(user.pk, clock.now(), Factor.PASSKEY, found, left)


def _proved(user: User, purpose: Purpose, session: str, answer: str) -> Passkey | None:
    """The passkey that signed, its use counted; None for an answer that proves nothing."""
    try:
        challenge = _take(user, purpose, session, answer)
        rows = Passkey.objects.select_for_update(of=("self",)).filter(user=user, confirmed=True)
        found: Passkey | None = rows.filter(credential_id=crypto.spelled(crypto.named_in(answer)[1])).first()
        if found is None:
            return None
        uses = crypto.check_assertion(_site(), challenge, answer, bytes(found.public_key), found.uses)
    except crypto.Refused:
        return None
    found.uses, found.last_used_at = uses, clock.now()
    found.save(update_fields=["uses", "last_used_at"])
    return found


@transaction.atomic
def _keep(actor: Actor, user: User, name: str, made: crypto.NewPasskey) -> Passkey:
    second_factor.lock_authenticator(user, confirmed=True)
    spelled = crypto.spelled(made.credential_id)
    if Passkey.objects.filter(credential_id=spelled).exists():
        raise Conflict("This passkey is known already.", code="passkey-known")
    if Passkey.objects.filter(user=user).count() >= MOST:
        raise Conflict(f"Nobody has more than {MOST} passkeys. Remove one first.", code="too-many-passkeys")
    passkey = Passkey(user=user, name=name, confirmed=True, credential_id=spelled, public_key=made.public_key)
    passkey.uses, passkey.synced = made.uses, made.synced
    passkey.save(force_insert=True)
    audit.record(actor, Event.PASSKEY_ADDED, user, after={"passkey": name, "synced": made.synced})
    return passkey


@transaction.atomic
def _challenge(user: User, purpose: Purpose, session: str) -> bytes:
    """A new challenge. Those that nobody answered in time go, and the oldest of too many."""
    rows = PasskeyChallenge.objects.filter(user=user)
    rows.over().delete()
    spare = rows.order_by("-expires_at").values_list("pk", flat=True)[MOST_OPEN - 1 :]
    PasskeyChallenge.objects.filter(pk__in=list(spare)).delete()
    made = secrets.token_bytes(32)
    rows.create(
        challenge=crypto.spelled(made),
        user=user,
        purpose=purpose,
        session=session_digest(session),
        expires_at=clock.now() + LIFETIME,
    )
    return made


def _take(user: User, purpose: Purpose, session: str, answer: str) -> bytes:
    """Use up the challenge that an answer names: the DELETE decides, whoever is faster. Raises `crypto.Refused`."""
    named = crypto.named_in(answer)[0]
    rows = PasskeyChallenge.objects.open().filter(pk=named[:64], user=user, purpose=purpose)
    if not rows.filter(session=session_digest(session)).delete()[0]:
        raise crypto.Refused("no such challenge")
    return crypto.unspelled(named)


def _ids(user: User) -> list[bytes]:
    return [crypto.unspelled(passkey.credential_id) for passkey in passkeys_of(user)]


def _site() -> crypto.Site:
    return crypto.Site(settings.OTP_TOTP_ISSUER, settings.PASSKEY_DOMAIN, tuple(settings.PASSKEY_ORIGINS))


def _wrong(*, audited: bool = False) -> VerificationFailed:
    error = VerificationFailed("The passkey was not accepted. Try again.", code="passkey-wrong")
    error.audited = audited
    return error
