"""Demo data on the first start, fresh tokens at each start."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from devices.models import Device
from portal.accounts.models import AccessToken, Application, Bank, TotpAuthenticator, User
from portal.accounts.operations.enrolment import confirm_enrolment, start_enrolment
from portal.accounts.operations.tokens import issue_staff_token, issue_token
from portal.accounts.tokens import find_token, reason_dead
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.core.ids import read
from portal.demo import provider
from portal.demo.make import ACTOR, earlier_code, make_all, make_authorities, make_providers
from portal.demo.scenes import make_scenes
from twofa.models import ActivationCode
from twofa.operations.activation_codes import issue_activation_code

LIFETIME: Final = timedelta(days=1)
RENEW_BELOW: Final = timedelta(hours=1)


class DemoRefused(Exception):
    """Demo data cannot be made here; the message says why, for a person."""


def ensure_demo(output: Path) -> bool:
    """Make the demo's data if the database is empty, renew expired tokens, and write `output` (mode 0600).

    Repeating it changes nothing but tokens that are expired or about to. Returns whether the data is new. Raises
    DemoRefused outside demo mode, and when the database holds data whose demo file is gone.
    """
    if not settings.DEMO:
        raise DemoRefused("Demo data is only made with PORTAL_MODE=demo.")
    kept = settings.VAR / "demo.json"
    fresh = not Bank.objects.exists()
    if fresh:
        with transaction.atomic():
            content = make_all()
            _write(kept, content)
    else:
        content = _read(kept)
    make_authorities()
    make_providers()
    content["base_url"] = settings.BASE_URL
    content["identity_provider"] = {"method": provider.NAME, "id_token_url": f"{provider.issuer()}/id-token"}
    # Each step is kept before the next one needs it, so that a start after a crash goes on from there.
    for step in (_seed_staff, _confirm_staff, _renew_tokens, _renew_codes):
        step(content)
        _write(kept, content)
    if fresh:
        make_scenes(content)
    if output.resolve() != kept:
        _write(output, content)
    return fresh


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DemoRefused(
            f"The database has data, but {path.name} is gone. Remove the folder {path.parent} to begin anew."
        ) from None
    return dict(content)


def _write(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    draft.replace(path)


def _seed_staff(content: dict[str, Any]) -> None:
    """Give each member of staff an authenticator whose seed stands in the file."""
    for row in content["staff"]:
        if not row["totp_secret"]:
            user = User.objects.staff().get(username=row["username"])
            row["totp_secret"] = start_enrolment(actor=ACTOR, user=user).secret


def _confirm_staff(content: dict[str, Any]) -> None:
    """Confirm the seeds that the file holds. The code used is the one before, so that the present one still works."""
    waiting = set(TotpAuthenticator.objects.filter(confirmed=False).values_list("user__username", flat=True))
    for row in content["staff"]:
        if row["username"] in waiting:
            user = User.objects.staff().get(username=row["username"])
            confirm_enrolment(actor=ACTOR, user=user, code=earlier_code(row["totp_secret"]))


def _renew_tokens(content: dict[str, Any]) -> None:
    mobiles = {}
    for row in content["applications"]:
        application = Application.objects.get(client_id=row["client_id"])
        if row["kind"] == "mobile":
            mobiles[row["bank"]] = application
        elif not _lives(row["access_token"]):
            row["access_token"] = _token(application)
    for row in content["staff"]:
        if not _lives(row["access_token"]):
            user = User.objects.staff().get(username=row["username"])
            row["access_token"] = issue_staff_token(actor=ACTOR, user=user, lifetime=LIFETIME)[1]
    for row in content["customers"]:
        user, mobile = User.objects.get(pk=read("USR", row["user_id"])), mobiles[row["bank"]]
        if not _lives(row["access_token"]):
            row["access_token"] = _token(mobile, user=user)
        for phone in row["devices"]:
            device = Device.objects.get(pk=phone["uuid"])
            if device.is_active and not _lives(phone["access_token"]):
                phone["access_token"] = _token(mobile, user=user, device=device)


def _renew_codes(content: dict[str, Any]) -> None:
    """A code that still opens something for who has no device yet; none for who has signed up."""
    for row in content.setdefault("newcomers", []):
        user = User.objects.get(pk=read("USR", row["user_id"]))
        if Device.objects.filter(owner=user).exists():
            row["activation_code"] = None
        elif row["activation_code"] is None or not ActivationCode.objects.open().filter(customer=user).exists():
            actor = Actor.system("demo data", bank_id=user.bank_id, channel=Channel.COMMAND)
            issued = issue_activation_code(actor=actor, customer_id=user.public_id, in_person=True)
            row["activation_code"] = issued.code


def _token(application: Application, user: User | None = None, device: Device | None = None) -> str:
    return issue_token(
        actor=ACTOR,
        application=application,
        user=user,
        scopes=application.allowed_scopes,
        lifetime=LIFETIME,
        device=device,
    )[1]


def _lives(raw: str | None) -> bool:
    token: AccessToken | None = find_token(raw) if raw else None
    return token is not None and reason_dead(token) is None and token.expires > clock.now() + RENEW_BELOW
