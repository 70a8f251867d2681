"""API clients: a bank's servers, merchants' servers and mobile applications."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from oauth2_provider.generators import generate_client_secret

from portal import vault
from portal.accounts import policies
from portal.accounts.models import Application, ApplicationKind, Bank
from portal.accounts.operations.client_signing import SIGNING_DIALECT, give_sign_secret, locked_client
from portal.accounts.roles import Capability
from portal.accounts.scopes import DIALECTS, SCOPES_BY_KIND
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput
from portal.crypto.codes import new_token, same


@dataclass(frozen=True)
class Created:
    """A new client and its secrets, which are shown now and never again.

    app_secret: "" but for mobile ones. sign_secret: "" but for those whose answers are signed.
    """

    application: Application
    client_secret: str
    app_secret: str
    sign_secret: str = ""


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
    administers: bool = False,
    signed_answers: bool = False,
) -> Created:
    """Make a client of the API that may use these dialects and scopes, from these networks (none given: from any).

    administers: it may speak for the bank's other clients; signed_answers: it gets a secret that signs what it is
    answered. Both only mean something in SPiD, which has to be one of the dialects. Raises Forbidden, InvalidInput
    (kind, name, dialects, scopes, allowed_ips, administers, signed_answers: each problem named).
    """
    policies.require_capability(actor, Capability.CLIENTS_MANAGE)
    policies.require_same_bank(actor, bank.pk)
    networks = _check(
        kind, name, dialects, scopes, allowed_ips, {"administers": administers, "signed_answers": signed_answers}
    )
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
        administers=administers,
    )
    if app_secret:
        application.app_secret_digest = app_secret_digest(application, app_secret)
    sign_secret = give_sign_secret(application) if signed_answers else ""
    application.save(force_insert=True)
    audit.record(actor, Event.CLIENT_CREATED, application, after=_shown(application))
    return Created(application, secret, app_secret, sign_secret)


def _shown(application: Application) -> dict[str, object]:
    """What a client is, for the audit log."""
    return {
        "kind": application.kind,
        "dialects": application.dialects,
        "scopes": application.allowed_scopes,
        "ips": application.allowed_ips,
        "administers": application.administers,
        "signed_answers": bool(application.sign_secret_sealed),
    }


@transaction.atomic
def set_administration(*, actor: Actor, client_id: str, administers: bool, reason: str) -> Application:
    """Let a client speak for the bank's other clients, or for itself only. What it does already leaves no event.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound.
    """
    application = locked_client(actor, client_id, reason)
    if application.administers == administers:
        return application
    application.administers = administers
    application.save(update_fields=["administers"])
    changed = {"before": {"administers": not administers}, "after": {"administers": administers}}
    audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, **changed)
    return application


def app_secret_digest(application: Application, secret: str) -> str:
    """What the database keeps of the secret that a mobile application sends with each call."""
    return vault.blind_index("application.app_secret", application.client_id, secret)


def is_app_secret(application: Application, secret: str) -> bool:
    """Whether this is the secret that the mobile application sends with each call. One without any knows none."""
    kept = application.app_secret_digest
    return bool(kept) and same(app_secret_digest(application, secret), kept)


def _check(
    kind: str,
    name: str,
    dialects: Sequence[str],
    scopes: Sequence[str],
    allowed_ips: Sequence[str],
    in_spid: Mapping[str, bool],
) -> list[str]:
    problems: list[FieldProblem] = []
    if kind not in ApplicationKind.values:
        problems.append(FieldProblem("kind", "choice", f"A kind is one of: {', '.join(ApplicationKind.values)}."))
    if not name.strip() or len(name) > 120 or not name.isprintable():
        problems.append(FieldProblem("name", "format", "A name has 1 to 120 characters."))
    problems += _unknown("dialects", dialects, DIALECTS)
    problems += _unknown("scopes", scopes, SCOPES_BY_KIND.get(kind, frozenset()))
    if SIGNING_DIALECT not in dialects:
        text = "This only means something in SPiD."
        problems += [FieldProblem(field, "not-allowed", text) for field, wanted in in_spid.items() if wanted]
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
