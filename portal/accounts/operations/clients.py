"""API clients: a bank's servers, merchants' servers and mobile applications."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from oauth2_provider.generators import generate_client_secret

from portal import vault
from portal.accounts import policies
from portal.accounts.models import Application, ApplicationKind, Bank
from portal.accounts.roles import Capability
from portal.accounts.scopes import DIALECTS, SCOPES_BY_KIND
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput
from portal.crypto.codes import new_token


@dataclass(frozen=True)
class Created:
    """A new client and its secrets, which are shown now and kept nowhere. `app_secret` is "" but for mobile ones."""

    application: Application
    client_secret: str
    app_secret: str


@transaction.atomic
def create_application(
    *,
    actor: Actor,
    bank: Bank,
    kind: str,
    name: str,
    dialects: Sequence[str],
    scopes: Sequence[str],
    allowed_ips: Sequence[str] = (),
) -> Created:
    """Make a client of the API that may use these dialects and scopes, from these networks (none given: from any).

    Raises Forbidden, InvalidInput (kind, name, dialects, scopes, allowed_ips: each problem named).
    """
    policies.require_capability(actor, Capability.CLIENTS_MANAGE)
    policies.require_same_bank(actor, bank.pk)
    networks = _check(kind, name, dialects, scopes, allowed_ips)
    is_mobile = kind == ApplicationKind.MOBILE
    secret, app_secret = generate_client_secret(), new_token(32) if is_mobile else ""
    application = Application(
        bank=bank,
        kind=kind,
        name=name.strip(),
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=(
            Application.GRANT_AUTHORIZATION_CODE if is_mobile else Application.GRANT_CLIENT_CREDENTIALS
        ),
        client_secret=secret,
        dialects=sorted(set(dialects)),
        allowed_scopes=sorted(set(scopes)),
        allowed_ips=networks,
    )
    if app_secret:
        application.app_secret_digest = app_secret_digest(application, app_secret)
    application.save(force_insert=True)
    after = {"kind": kind, "dialects": application.dialects, "scopes": application.allowed_scopes, "ips": networks}
    audit.record(actor, Event.CLIENT_CREATED, application, after=after)
    return Created(application, secret, app_secret)


def app_secret_digest(application: Application, secret: str) -> str:
    """What the database keeps of the secret that a mobile application sends with each call."""
    return vault.blind_index("application.app_secret", application.client_id, secret)


def _check(
    kind: str, name: str, dialects: Sequence[str], scopes: Sequence[str], allowed_ips: Sequence[str]
) -> list[str]:
    problems: list[FieldProblem] = []
    if kind not in ApplicationKind.values:
        problems.append(FieldProblem("kind", "choice", f"A kind is one of: {', '.join(ApplicationKind.values)}."))
    if not name.strip() or len(name) > 120 or not name.isprintable():
        problems.append(FieldProblem("name", "format", "A name has 1 to 120 characters."))
    problems += _unknown("dialects", dialects, DIALECTS)
    problems += _unknown("scopes", scopes, SCOPES_BY_KIND.get(kind, frozenset()))
    networks: list[str] = []
    for text in allowed_ips:
        try:
            networks.append(str(ipaddress.ip_network(text)))
        except ValueError:
            problems.append(FieldProblem("allowed_ips", "format", "A network looks like 192.0.2.0/24."))
    if problems:
        raise InvalidInput(fields=tuple(problems))
    return networks


def _unknown(field: str, given: Sequence[str], known: frozenset[str]) -> list[FieldProblem]:
    excess = sorted(set(given) - known)
    text = f"Not for this client: {', '.join(excess)}."
    return [FieldProblem(field, "not-allowed", text)] if excess else []
