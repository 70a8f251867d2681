"""API clients: a bank's servers, merchants' servers and mobile applications."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q
from oauth2_provider.generators import generate_client_secret

from portal import vault
from portal.accounts import policies
from portal.accounts.models import Application, ApplicationKind, Bank
from portal.accounts.operations.client_signing import SIGNING_DIALECT, give_sign_secret, locked_client
from portal.accounts.roles import Capability
from portal.accounts.scopes import DIALECTS, SCOPES_BY_KIND
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput, InvalidState
from portal.crypto.codes import new_token, same

MOST_ADDRESSES: Final = 10
LONGEST_ADDRESS: Final = 400  # characters
LONGEST_OVERLAP: Final = 365  # days that an app secret is good beside its successor


@dataclass(frozen=True)
class Created:
    """A new client and its secrets, which are shown now and never again.

    app_secret: "" but for mobile ones. sign_secret: "" but for those whose answers are signed.
    """

    application: Application
    client_secret: str
    app_secret: str
    sign_secret: str = ""


@dataclass(frozen=True)
class NewAppSecret:
    """A mobile application with a new app secret, which is shown now and never again."""

    application: Application
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
        application.app_secret_digest = app_secret_digest(app_secret)
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


@transaction.atomic
def set_redirect_uris(*, actor: Actor, client_id: str, uris: Sequence[str], reason: str) -> Application:
    """Say where a mobile application wants its customers back; compared as text (RFC 9700 4.1.3). None: nowhere.

    uris: https, an own scheme with a dot in it (`com.example.bank:/back`, RFC 8252 7.1), or loopback http (7.3),
    each without fragment; at most ten. What is so already leaves no event. Raises Forbidden, InvalidInput, NotFound,
    InvalidState `client-not-mobile`.
    """
    application = _mobile(actor, client_id, reason)
    if len(uris) > MOST_ADDRESSES or not all(_is_return_address(uri) for uri in uris):
        raise InvalidInput.at("uris", "format", "An address looks like https://app.bank.example/back.")
    before, wanted = application.redirect_uris, " ".join(dict.fromkeys(uris))
    if before != wanted:
        application.redirect_uris = wanted
        application.save(update_fields=["redirect_uris"])
        changed = {"before": {"addresses": before.split()}, "after": {"addresses": wanted.split()}}
        audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, **changed)
    return application


@transaction.atomic
def set_possession(*, actor: Actor, client_id: str, proves: bool, reason: str) -> Application:
    """Bind a mobile application's new sessions to the device's key, proved in each call (RFC 9449), or no longer.

    Sessions that are open stay as they are. What is so already leaves no event. Raises Forbidden, InvalidInput,
    NotFound, InvalidState `client-not-mobile`.
    """
    application = _mobile(actor, client_id, reason)
    if application.proves_possession != proves:
        application.proves_possession = proves
        application.save(update_fields=["proves_possession"])
        changed = {"before": {"proves_possession": not proves}, "after": {"proves_possession": proves}}
        audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, **changed)
    return application


def _mobile(actor: Actor, client_id: str, reason: str) -> Application:
    application = locked_client(actor, client_id, reason)
    if application.kind != ApplicationKind.MOBILE:
        raise InvalidState("This is only for mobile applications.", code="client-not-mobile")
    return application


def _is_return_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        own = "." in parts.scheme and not parts.netloc and parts.path.startswith("/")
        loopback = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1"}
        web = parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return False
    plain = uri.isascii() and uri.isprintable() and " " not in uri and "#" not in uri and "@" not in parts.netloc
    return plain and len(uri) <= LONGEST_ADDRESS and (own or loopback or web)


@transaction.atomic
def renew_app_secret(*, actor: Actor, client_id: str, reason: str, days: int = 0) -> NewAppSecret:
    """Give a mobile application another secret for `X-Hyphen-App-Secret`. Each call makes another.

    days: so long the old one is good beside it, as installed applications send it with each call; with 0 it is
    unknown from now on. One that was replaced before is unknown either way. reason: 1 to 500 characters. Raises
    Forbidden, InvalidInput (reason, days), NotFound, InvalidState `client-not-mobile`.
    """
    application = _mobile(actor, client_id, reason)
    if not 0 <= days <= LONGEST_OVERLAP:
        raise InvalidInput.at("days", "out-of-range", f"From 0 to {LONGEST_OVERLAP} days.")
    secret, old = new_token(32), application.app_secret_digest
    overlaps = bool(days and old)
    application.app_secret_digest = app_secret_digest(secret)
    application.app_secret_before = old if overlaps else ""
    application.app_secret_before_until = clock.now() + timedelta(days=days) if overlaps else None
    application.save(update_fields=["app_secret_digest", "app_secret_before", "app_secret_before_until"])
    audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, details={"app_secret": {"overlap": days}})
    return NewAppSecret(application, secret)


def app_secret_digest(secret: str) -> str:
    """What the database keeps of the secret that a mobile application sends with each call; it finds the row."""
    return vault.digest("application.app_secret", "", secret)


def application_of(secret: str) -> Application | None:
    """The mobile application whose secret this is, suspended or not. One query."""
    sent = app_secret_digest(secret)
    known = Q(app_secret_digest=sent) | Q(app_secret_before=sent, app_secret_before_until__gt=clock.now())
    found = Application.objects.select_related("bank").filter(kind=ApplicationKind.MOBILE)
    return found.filter(known).first() if secret else None


def is_app_secret(application: Application, secret: str) -> bool:
    """Whether this is the secret that the mobile application sends with each call. One without any knows none."""
    sent, until = app_secret_digest(secret), application.app_secret_before_until
    kept = [application.app_secret_digest]
    if until is not None and until > clock.now():
        kept.append(application.app_secret_before)
    return any(bool(one) and same(sent, one) for one in kept)


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
