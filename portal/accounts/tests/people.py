"""What these tests say often."""

from base64 import b32decode
from datetime import timedelta

import time_machine
from django_otp.oath import hotp

from portal.accounts.actors import staff_actor
from portal.accounts.models import Application, Bank, TotpAuthenticator, User
from portal.accounts.operations import enrolment, second_factor
from portal.accounts.operations.clients import Created, create_application
from portal.accounts.scopes import DIALECTS, SCOPES_BY_KIND
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor, Channel

SYSTEM = Actor.system("tests", channel=Channel.COMMAND)
HOUR = timedelta(hours=1)


def signed_in(user: User) -> Actor:
    return staff_actor(user, channel=Channel.PORTAL, ip="192.0.2.1", request_id="request-1")


def make_client(bank: Bank, kind: str = "bank", *, name: str = "", ips: tuple[str, ...] = ()) -> Created:
    """An application with its secret, made as an administrator would."""
    return create_application(
        actor=SYSTEM,
        bank=bank,
        kind=kind,
        name=name or f"{bank.code} {kind}",
        dialects=sorted(DIALECTS),
        scopes=sorted(SCOPES_BY_KIND[kind]),
        allowed_ips=ips,
    )


def code_at(secret: str, *, steps: int = 0) -> str:
    """What the authenticator app shows now, or so many steps of 30 seconds later."""
    return f"{hotp(b32decode(secret), int(clock.now().timestamp()) // 30 + steps):06d}"


def enrol(user: User) -> tuple[str, list[str]]:
    """Set up the person's authenticator with the code before the current one; returns seed and backup codes."""
    with time_machine.travel(clock.now(), tick=False):  # that code is the oldest that is taken
        secret = enrolment.start_enrolment(actor=signed_in(user), user=user).secret
        codes = enrolment.confirm_enrolment(actor=signed_in(user), user=user, code=code_at(secret, steps=-1))
    return secret, codes


def proof_of(user: User, *, age: timedelta = timedelta()) -> second_factor.Verified:
    """What proving the second factor would have given, so long ago."""
    authenticator = TotpAuthenticator(user=user)
    return second_factor.Verified(user.pk, clock.now() - age, second_factor.Factor.TOTP, authenticator, 10)


def events(name: str = "") -> list[tuple[str, str]]:
    """(event, code) of the audit log, oldest first."""
    rows = AuditEvent.objects.filter(event=name) if name else AuditEvent.objects.all()
    return list(rows.order_by("id").values_list("event", "code"))


def suspend(application: Application) -> None:
    application.suspended_at = clock.now()
    application.save(update_fields=["suspended_at"])
