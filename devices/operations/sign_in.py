"""Signing in with a device's key: it signs a text that was made for this customer, key and application, once."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F

from devices.models import Device, DeviceKey
from devices.operations.device_sessions import (
    OfferedKey,
    SignedIn,
    holds,
    open_session,
    public_key_of,
    usable_keys,
)
from devices.operations.keys import keep_key, read_key
from devices.states import Category
from portal import vault
from portal.accounts.actors import signed_in_actor
from portal.accounts.models import Application, User
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState, VerificationFailed
from portal.core.json import canonical
from twofa.models import SignInChallenge
from twofa.operations.identifying import Identified, identify, please_sign_up, require_in_use

DOMAIN: Final = "device-portal/sign-in/v1"
LIFETIME: Final = timedelta(minutes=2)
LONGEST_CHALLENGE: Final = 2048  # characters
NONCE_BYTES: Final = 32


@dataclass(frozen=True)
class Challenge:
    """text: what the device signs, as UTF-8. It is given out once and kept nowhere."""

    text: str
    expires_at: datetime


def start_challenge(*, actor: Actor, application: Application, method: str, token: str, public_key: str) -> Challenge:
    """Give a device something to sign. Each call makes another. Not inside a transaction.

    public_key: of one of the customer's devices, in any spelling. Raises what `identify` raises, InvalidInput
    (`public_key`, or `PleaseSignUp` where the customer has no device that could sign in), Forbidden `key-not-known`
    where another device has to approve, InvalidState `device-not-active`.
    """
    identified = identify(actor, application, method, token)
    key = _key_of(identified.customer, public_key)
    if not key.device.is_active:
        raise InvalidState("The device is not in use.", code="device-not-active")
    return _challenge(application, identified, key)


def answer_challenge(*, actor: Actor, application: Application, text: str, signature: str) -> SignedIn:
    """Open a session for the device that signed the challenge, in hex. Not inside a transaction.

    One try: a wrong signature uses it up. A key that signs for the first time is proved by it. Raises
    VerificationFailed `sign-in-failed`, the same for a wrong signature and for a challenge that is unknown, another
    application's, used or expired; InvalidState (`device-not-active`, `user-suspended`), Conflict `key-in-use`,
    Forbidden `sign-in-refused` where the bank has suspended the provider meanwhile.
    """
    challenge = _taken(actor, application, text)
    if challenge is None or not holds(public_key_of(challenge.key), text, signature):
        raise _refused(actor, challenge)
    with transaction.atomic():
        require_in_use(challenge.provider_id)
        customer = User.objects.select_for_update(no_key=True).get(pk=challenge.account_id)
        device = Device.objects.select_for_update(of=("self",)).get(pk=challenge.key.device_id)
        if not device.is_active or device.owner_id != customer.pk:
            raise InvalidState("The device is not in use.", code="device-not-active")
        if not DeviceKey.objects.filter(pk=challenge.key_id, retired_at=None).exists():
            raise InvalidState("The device has another key now.", code="device-not-active")
        key = public_key_of(challenge.key)
        keep_key(signed_in_actor(actor, customer, device.pk), device, key, proved=True)
        return open_session(actor, application, customer, device, OfferedKey(key, proved=True), how="device-key")


def _key_of(customer: User, public_key: str) -> DeviceKey:
    fingerprint = read_key(public_key).fingerprint
    own = DeviceKey.objects.filter(device__owner=customer, device__category=Category.OWNED, retired_at=None)
    named = own.select_related("device").filter(fingerprint=fingerprint)
    found = named.order_by(F("proved_at").desc(nulls_last=True), "-registered_at").first()
    if found is not None:
        return found
    if not usable_keys(customer):
        raise please_sign_up()
    raise Forbidden("This device is not known: approve the sign-in on another one.", code="key-not-known")


def _challenge(application: Application, identified: Identified, key: DeviceKey) -> Challenge:
    now = clock.now()
    row = SignInChallenge(
        id=ids.new_id(),
        application=application,
        provider=identified.provider,
        account=identified.customer,
        key=key,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    text = canonical(
        {
            "domain": DOMAIN,
            "issuer": settings.BASE_URL,
            "application": application.client_id,
            "provider": identified.provider.name,
            "account": identified.customer.public_id,
            "key": key.fingerprint,
            "nonce": secrets.token_hex(NONCE_BYTES),
            "expiresAt": clock.rfc3339(row.expires_at),
        }
    ).decode()
    row.digest = _digest(text)
    with transaction.atomic():
        SignInChallenge.objects.filter(account=identified.customer, expires_at__lte=now).delete()
        row.save(force_insert=True)
    return Challenge(text, row.expires_at)


def _digest(text: str) -> str:
    return vault.digest("sign_in.challenge", "", text)


def _taken(actor: Actor, application: Application, text: str) -> SignInChallenge | None:
    """The challenge, used up by this call; None for one that opens nothing."""
    if len(text) > LONGEST_CHALLENGE:
        return None
    now = clock.now()
    rows = SignInChallenge.objects.filter(digest=_digest(text), application=application)
    with transaction.atomic(durable=True):
        if not rows.filter(used_at__isnull=True, expires_at__gt=now).update(used_at=now):
            return None
    return rows.select_related("account", "key__device").first()


def _refused(actor: Actor, challenge: SignInChallenge | None) -> VerificationFailed:
    device = challenge.key.device if challenge is not None else None
    code = "signature-wrong" if challenge is not None else "challenge-unknown"
    with transaction.atomic(durable=True):
        audit.record_refusal(actor, Event.DEVICE_SIGN_IN_REFUSED, device, code=code)
    refusal = VerificationFailed("The sign-in failed.", code="sign-in-failed")
    refusal.audited = True
    return refusal
