"""Authorization codes for mobile applications (RFC 6749 4.1, RFC 7636, RFC 9700): the bank's provider signs in."""

import logging
from collections.abc import Callable, Collection
from functools import wraps
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from portal.accounts.actors import client_actor
from portal.accounts.models import Application, ApplicationKind
from portal.accounts.policies import ip_allowed
from portal.api.auth import count
from portal.api.dialect import A_MINUTE
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError, InvalidInput, RateLimited, Unavailable
from portal.requests import client_ip, request_id
from twofa.operations.browser_approval import Back, Waiting, continue_browser_sign_in
from twofa.operations.browser_sign_in import LIFETIME, Wanted, finish_browser_sign_in, start_browser_sign_in

COOKIE: Final = "portal_signing_in" if settings.DEMO else "__Host-signing-in"
ASKED: Final = ("state", "scope", "code_challenge", "code_challenge_method", "response_type", "method")
ANSWERED: Final = ("state", "code", "iss")
PAUSE: Final = 3  # seconds between two looks
logger = logging.getLogger(__name__)

type View = Callable[[HttpRequest], HttpResponse]


def _guarded(view: View) -> View:
    """Whatever happens is said in plain words and written; nothing is sent to an address that is not the client's."""

    @require_GET
    @wraps(view)
    def run(request: HttpRequest) -> HttpResponse:
        try:
            count(f"authorize:{client_ip(request)}", A_MINUTE)
            return view(request)
        except RateLimited as limited:
            audit.refuse_limited(_nobody(request), Event.TOKEN_REFUSED, code=limited.code)
            response = _said(request, 429, "Too many attempts. Try again in a minute.")
            response["Retry-After"] = str(limited.retry_after)
            return response
        except (Unavailable, OperationalError, InterfaceError):
            return _said(request, 503, "Sign-in is not available right now. Try again later.")
        except DomainError as error:
            if not error.audited:
                audit.refuse(_nobody(request), Event.TOKEN_REFUSED, code=error.code, details=error.details)
            return _said(request, 400, error.message)
        except Exception:
            logger.exception("a sign-in in a browser failed")
            return _said(request, 500, "Something went wrong.")

    return run


@_guarded
def authorize(request: HttpRequest) -> HttpResponse:
    """Send a customer to their bank's provider. A wrong client or address is told here, all else to the client."""
    asked = _once(request.GET, ("client_id", "redirect_uri", *ASKED))
    client = _client(request, asked)
    redirect_uri, state = asked["redirect_uri"], asked.get("state", "")
    actor = client_actor(client, channel=Channel.OAUTH, ip=client_ip(request), request_id=request_id(request))
    try:
        wanted = Wanted(
            redirect_uri=redirect_uri,
            **{name: asked.get(name, "") for name in ASKED},
        )
        kept = request.COOKIES.get(COOKIE, "")
        left = start_browser_sign_in(actor=actor, application=client, wanted=wanted, browser=kept)
    except InvalidInput as error:
        told = {"error": error.code.replace("-", "_"), "error_description": error.message}
        return _back(redirect_uri, {**told, "state": state})
    response = _redirect(left.url)
    seconds = int(LIFETIME.total_seconds())
    response.set_cookie(COOKIE, left.browser, seconds, httponly=True, secure=not settings.DEMO, samesite="Lax")
    return response


@_guarded
def callback(request: HttpRequest) -> HttpResponse:
    """The provider brings the customer back; the client gets a code, or learns that there is none.

    A customer who has a device that can sign approves there first, while this browser waits.
    """
    sent = _once(request.GET, ANSWERED)
    found = finish_browser_sign_in(
        actor=_nobody(request),
        state=sent.get("state", ""),
        browser=request.COOKIES.get(COOKIE, ""),
        code=sent.get("code", ""),
        issuer=sent.get("iss", ""),
    )
    return _gone_on(request, found, sent.get("state", ""))


@_guarded
def wait(request: HttpRequest) -> HttpResponse:
    """Whether the device has answered; the page looks again by itself."""
    state = _once(request.GET, ("state",)).get("state", "")
    found = continue_browser_sign_in(actor=_nobody(request), state=state, browser=request.COOKIES.get(COOKIE, ""))
    return _gone_on(request, found, state)


def _gone_on(request: HttpRequest, found: Back | Waiting, state: str) -> HttpResponse:
    if isinstance(found, Back):
        answer = {"code": found.code} if found.code else {"error": found.error}
        return _back(found.redirect_uri, {**answer, "state": found.state})
    context = {"number": found.number, "until": found.until, "again": PAUSE}
    response = _unkept(render(request, "oauth/waiting.html", context))
    response["Refresh"] = f"{PAUSE}; url={reverse('oauth-wait')}?{urlencode({'state': state})}"
    return response


def _nobody(request: HttpRequest) -> Actor:
    return Actor.anonymous(Channel.OAUTH, ip=client_ip(request), request_id=request_id(request))


def _once(query: QueryDict, names: Collection[str]) -> dict[str, str]:
    """The parameters that mean something here, each once and printable; others are ignored (RFC 6749 3.1)."""
    if any(len(query.getlist(name)) > 1 for name in names):
        raise InvalidInput("A parameter was sent twice.", code="invalid-request")
    found = {name: str(query[name]) for name in names if query.get(name)}
    if any(not value.isprintable() or len(value) > 4096 for value in found.values()):
        raise InvalidInput("A parameter cannot be read.", code="invalid-request")
    return found


def _client(request: HttpRequest, asked: dict[str, str]) -> Application:
    """The client whose address this is, looked at before anybody is sent anywhere.

    Raises InvalidInput: one text for all that is wrong, its code for the audit log.
    """
    found = Application.objects.select_related("bank").filter(client_id=asked.get("client_id", "")).first()
    wrong = "This application, or the address it wants you back at, is not known here."
    if found is None or found.kind != ApplicationKind.MOBILE:
        raise InvalidInput(wrong, code="client-unknown")
    known = {"client": found.client_id}
    if found.suspended_at is not None:
        raise InvalidInput(wrong, code="client-suspended", **known)
    if not ip_allowed(found, client_ip(request)):
        raise InvalidInput(wrong, code="ip-not-allowed", **known)
    # RFC 9700 4.1.3: exactly, as text. The list is written by people who manage clients.
    if not asked.get("redirect_uri") or asked["redirect_uri"] not in found.redirect_uris.split():
        raise InvalidInput(wrong, code="redirect-uri-unknown", **known)
    return found


def _back(redirect_uri: str, answer: dict[str, str]) -> HttpResponse:
    """To the client; `iss` says who answers (RFC 9207)."""
    told = {name: value for name, value in {**answer, "iss": settings.BASE_URL}.items() if value}
    return _redirect(f"{redirect_uri}{'&' if urlsplit(redirect_uri).query else '?'}{urlencode(told)}")


def _redirect(url: str) -> HttpResponse:
    """302 to any scheme: an application's own is no http address, and was looked at by whoever registered it."""
    response = HttpResponse(status=HTTPStatus.FOUND)
    response["Location"] = url
    return _unkept(response)


def _said(request: HttpRequest, status: int, text: str) -> HttpResponse:
    return _unkept(render(request, "oauth/stopped.html", {"text": text}, status=status))


def _unkept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
