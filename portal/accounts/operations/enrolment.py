"""Setting up the second factor: the authenticator app's seed, shown until it is confirmed, and backup codes."""

import secrets
from base64 import b32encode
from typing import NamedTuple
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import transaction

from portal import vault
from portal.accounts import policies
from portal.accounts.models import BackupCode, TotpAuthenticator, User
from portal.accounts.operations import second_factor
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import Conflict
from portal.crypto.codes import new_backup_code

SEED_BYTES = 20  # RFC 4226 4 (R6): 160 bits
BACKUP_CODES = 10


class Enrolment(NamedTuple):
    """What an authenticator app needs: as a link for a QR code, and as text to type. Shown, never logged."""

    authenticator: TotpAuthenticator
    otpauth_uri: str
    secret: str


def start_enrolment(*, actor: Actor, user: User) -> Enrolment:
    """Make a seed for a member of staff. It counts for nothing until `confirm_enrolment`; a repeat makes a new one.

    Raises Conflict once an authenticator is confirmed.
    """
    policies.require_self(actor, user.pk)
    secret = b32encode(secrets.token_bytes(SEED_BYTES)).decode()
    sealed = vault.seal(second_factor.SEED, user.pk, secret)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        found = TotpAuthenticator.objects.filter(user=user).first()
        if found is not None and found.confirmed:
            raise Conflict("An authenticator is already set up.", code="second-factor-enrolled")
        made = found or TotpAuthenticator(user=user, name="Authenticator app", confirmed=False)
        made.seed_sealed, made.last_step = sealed, -1
        made.save()
    return Enrolment(made, _otpauth_uri(user, secret), secret)


def open_enrolment(*, actor: Actor, user: User) -> Enrolment:
    """The seed that waits for its first code, to show it again after a typing error; a new one if there is none.

    Raises Conflict once an authenticator is confirmed.
    """
    policies.require_self(actor, user.pk)
    found = TotpAuthenticator.objects.filter(user=user, confirmed=False).first()
    if found is None:
        return start_enrolment(actor=actor, user=user)
    secret = vault.unseal(second_factor.SEED, user.pk, found.seed_sealed)
    return Enrolment(found, _otpauth_uri(user, secret), secret)


def confirm_enrolment(*, actor: Actor, user: User, code: str, signing_in: bool = False) -> list[str]:
    """Take the first right code of the new authenticator, and give out ten backup codes: shown once, kept as digests.

    signing_in: also write that the person is in, because the door signs them in by this code. Raises
    VerificationFailed and RateLimited as at sign-in, InvalidState where nothing waits to be confirmed.
    """
    policies.require_self(actor, user.pk)
    codes: list[str] = []
    with transaction.atomic(durable=True):
        authenticator = second_factor.lock_authenticator(user, confirmed=False)
        wait = second_factor.seconds_to_wait(authenticator)
        if not wait and second_factor.use_totp(authenticator, code.replace(" ", "")):
            codes = _confirm(actor, user, signing_in)
        elif not wait:
            second_factor.count_failure(actor, user, authenticator)
    if not codes:
        raise second_factor.refused(actor, wait)
    return codes


@transaction.atomic
def renew_backup_codes(*, actor: Actor, user: User, proof: second_factor.Verified | None = None) -> list[str]:
    """Give out ten new backup codes; the unused old ones end.

    proof: a fresh second factor, which staff have to bring. Raises Forbidden `not-yourself`, `second-factor-needed`,
    InvalidState for somebody without an authenticator.
    """
    policies.require_self(actor, user.pk)
    second_factor.require_fresh(actor, proof)
    second_factor.lock_authenticator(user, confirmed=True)
    codes = _new_backup_codes(user)
    audit.record(actor, Event.BACKUP_CODES_RENEWED, user, details={"codes": len(codes)})
    return codes


def _confirm(actor: Actor, user: User, signing_in: bool) -> list[str]:
    TotpAuthenticator.objects.filter(user=user).update(confirmed=True)
    codes = _new_backup_codes(user)
    audit.record(actor, Event.SECOND_FACTOR_ENROLLED, user, details={"backup_codes": len(codes)})
    if signing_in:
        second_factor.record_sign_in(actor, user, second_factor.Factor.TOTP)
    return codes


def _new_backup_codes(user: User) -> list[str]:
    BackupCode.objects.filter(user=user, used_at=None).delete()
    codes = [new_backup_code() for _ in range(BACKUP_CODES)]
    rows = [BackupCode(user=user, digest=second_factor.backup_digest(user, code)) for code in codes]
    BackupCode.objects.bulk_create(rows)
    return codes


def _otpauth_uri(user: User, secret: str) -> str:
    """The link that authenticator apps read (the Key URI format)."""
    issuer = settings.OTP_TOTP_ISSUER
    label = quote(f"{issuer}:{user.username}", safe="")
    query = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": "6", "period": "30"}
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"
