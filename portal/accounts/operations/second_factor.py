"""Proving a second factor: a code of the authenticator app (RFC 6238: SHA-1, 6 digits, 30 s) or a backup code.

Passkeys are in `passkeys`; they share the wait after wrong ones.

Each code works once, whoever is faster. A wrong one is counted and written down in a transaction of its own before
it is refused, and each doubles the wait before the next try.
"""

import math
import re
from base64 import b32decode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django_otp.oath import hotp

from portal import vault
from portal.accounts import policies
from portal.accounts.models import BackupCode, Passkey, TotpAuthenticator, User
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState, RateLimited, VerificationFailed
from portal.crypto.codes import plain_backup_code, same

STEP = 30  # seconds
WINDOW = 1  # steps that a clock may be wrong, either way
LONGEST_WAIT = 900  # seconds
FRESH = timedelta(minutes=5)
SEED = "totp.seed"
BACKUP = "backup.code"
_CODE = re.compile("[0-9]{6}")


class Factor(StrEnum):
    TOTP = "totp"
    BACKUP = "backup-code"
    PASSKEY = "passkey"


@dataclass(frozen=True)
class Verified:
    """A second factor was proved: by whom and when.

    authenticator: what `django_otp.login` wants, after a backup code too.
    """

    user_id: UUID
    at: datetime
    kind: Factor
    authenticator: TotpAuthenticator | Passkey
    backup_codes_left: int


def verify_second_factor(*, actor: Actor, user: User, code: str, signing_in: bool = True) -> Verified:
    """Check a code that a member of staff typed; `signing_in` also writes that they are in.

    Raises VerificationFailed for a wrong or used code (the same words for both), RateLimited while the wait after a
    wrong one lasts, InvalidState for somebody without an authenticator, Forbidden for somebody else's.
    """
    policies.require_self(actor, user.pk)
    with transaction.atomic(durable=True):
        authenticator = lock_authenticator(user, confirmed=True)
        wait = seconds_to_wait(authenticator)
        kind = None if wait else _use(authenticator, code)
        if kind is not None:
            _accept(actor, user, kind, signing_in)
        elif not wait:
            count_failure(actor, user, authenticator)
        left = BackupCode.objects.filter(user=user, used_at=None).count()
    if kind is None:
        raise refused(actor, wait)
    return Verified(user.pk, clock.now(), kind, authenticator, left)


def require_fresh(actor: Actor, proof: Verified | None) -> None:
    """What opens a way in needs the actor's own second factor of the last five minutes; our own commands need none.

    Raises Forbidden `second-factor-needed`.
    """
    if actor.is_system:
        return
    if proof is None or proof.user_id != actor.user_id or clock.now() - proof.at > FRESH:
        raise Forbidden("Prove your second factor again first.", code="second-factor-needed")


def lock_authenticator(user: User, *, confirmed: bool) -> TotpAuthenticator:
    """The person's authenticator, its row locked. Raises InvalidState."""
    rows = TotpAuthenticator.objects.select_for_update(of=("self",))
    found: TotpAuthenticator | None = rows.filter(user=user, confirmed=confirmed).first()
    if found is None:
        raise InvalidState("No authenticator is set up.", code="second-factor-not-enrolled")
    found.user = user
    return found


def seconds_to_wait(authenticator: TotpAuthenticator) -> int:
    """Whole seconds until the next try: 1, 2, 4 … after each wrong code, 15 minutes at most."""
    failures, last = authenticator.throttling_failure_count, authenticator.throttling_failure_timestamp
    if not failures or last is None:
        return 0
    wait = timedelta(seconds=min(2 ** min(failures - 1, 30), LONGEST_WAIT))
    left: timedelta = last + wait - clock.now()
    return max(0, math.ceil(left.total_seconds()))


def use_totp(authenticator: TotpAuthenticator, code: str) -> bool:
    """Use up a code: right, and of a later step than the last one. The conditional UPDATE decides."""
    step = _matching_step(authenticator, code)
    if step is None:
        return False
    later = TotpAuthenticator.objects.filter(pk=authenticator.pk, last_step__lt=step)
    return bool(later.update(last_step=step, throttling_failure_count=0, throttling_failure_timestamp=None))


def forget_failures(authenticator: TotpAuthenticator) -> None:
    """After a right one nobody waits. The row is locked."""
    same_row = TotpAuthenticator.objects.filter(pk=authenticator.pk)
    same_row.update(throttling_failure_count=0, throttling_failure_timestamp=None)


def count_failure(
    actor: Actor, user: User, authenticator: TotpAuthenticator, *, code: str = "second-factor-wrong"
) -> None:
    """Count a wrong one and write it down, in the transaction that the caller commits before it raises."""
    failures = authenticator.throttling_failure_count + 1
    TotpAuthenticator.objects.filter(pk=authenticator.pk).update(
        throttling_failure_count=failures, throttling_failure_timestamp=clock.now()
    )
    details = {"failures": failures}
    audit.record_refusal(actor, Event.SECOND_FACTOR_REFUSED, user, code=code, details=details)


def refused(actor: Actor, wait: int) -> VerificationFailed | RateLimited:
    """The error for a code that was not taken. A try during the wait is written once a minute."""
    if not wait:
        return VerificationFailed("The code is not right, or was used before.", code="second-factor-wrong")
    audit.refuse_limited(actor, Event.SECOND_FACTOR_REFUSED, code="second-factor-throttled")
    return RateLimited("Too many wrong codes. Wait a moment.", code="second-factor-throttled", retry_after=wait)


def record_sign_in(actor: Actor, user: User, kind: Factor) -> None:
    """Write that a member of staff is in, and by which second factor."""
    audit.record(actor, Event.SIGN_IN_SUCCEEDED, user, details={"second_factor": kind.value})


def backup_digest(user: User, code: str) -> str:
    """What the database keeps of a backup code."""
    return vault.digest(BACKUP, user.pk, plain_backup_code(code))


def _use(authenticator: TotpAuthenticator, code: str) -> Factor | None:
    typed = code.replace(" ", "")
    if _CODE.fullmatch(typed):
        return Factor.TOTP if use_totp(authenticator, typed) else None
    return Factor.BACKUP if _use_backup_code(authenticator, code) else None


def _use_backup_code(authenticator: TotpAuthenticator, code: str) -> bool:
    digest = backup_digest(authenticator.user, code[:64])
    unused = BackupCode.objects.filter(user=authenticator.user, digest=digest, used_at=None)
    if not unused.update(used_at=clock.now()):
        return False
    forget_failures(authenticator)
    return True


def _accept(actor: Actor, user: User, kind: Factor, signing_in: bool) -> None:
    if kind is Factor.BACKUP:
        audit.record(actor, Event.BACKUP_CODE_USED, user)
    if signing_in:
        record_sign_in(actor, user, kind)


def _matching_step(authenticator: TotpAuthenticator, code: str) -> int | None:
    """The newest step inside the window whose code this is. All of them are computed, match or not."""
    key = b32decode(vault.unseal(SEED, authenticator.user_id, authenticator.seed_sealed))
    current = int(clock.now().timestamp()) // STEP
    steps = range(current - WINDOW, current + WINDOW + 1)
    right = [step for step in steps if same(f"{hotp(key, step):06d}", code)]
    return right[-1] if right else None
