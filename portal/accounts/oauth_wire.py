"""What goes over the wire at /oauth: forms in, JSON out, errors by RFC 6749 5.2. Nothing else is ever answered."""

import base64
import binascii
import logging
from collections.abc import Callable
from functools import wraps
from urllib.parse import parse_qsl, unquote_plus

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from portal.accounts.operations.client_login import Credentials
from portal.core.errors import RateLimited, Unavailable, VerificationFailed
from portal.requests import request_id, whole_body

logger = logging.getLogger(__name__)

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MOST_FIELDS = 50
FORM = "application/x-www-form-urlencoded"

type View = Callable[[HttpRequest], JsonResponse]


class BadCall(Exception):
    """The call is refused as it stands. `error` is a code of RFC 6749 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error, self.description, self.status = error, description, status
        super().__init__(description)


def answer(body: dict[str, object], status: int = 200, headers: dict[str, str] | None = None) -> JsonResponse:
    """A JSON answer that nobody keeps."""
    return JsonResponse(body, status=status, headers={**NO_STORE, **(headers or {})})


def refusal(error: str, description: str, status: int = 400, headers: dict[str, str] | None = None) -> JsonResponse:
    """An error answer. 401 names the scheme by which a client can prove itself."""
    challenge = {"WWW-Authenticate": 'Basic realm="oauth", charset="UTF-8"'} if status == 401 else {}
    return answer({"error": error, "error_description": description}, status, {**challenge, **(headers or {})})


def endpoint(*methods: str) -> Callable[[View], View]:
    """Make a view of a function: only these methods, every error in this dialect's form, no cookie believed."""

    def decorate(view: View) -> View:
        @csrf_exempt  # clients prove themselves in the call itself; a session counts for nothing here
        @wraps(view)
        def run(request: HttpRequest) -> JsonResponse:
            if request.method not in methods:
                text = f"Use {' or '.join(methods)}."
                return refusal("invalid_request", text, 405, {"Allow": ", ".join(methods)})
            return _answered(view, request)

        return run

    return decorate


def _answered(view: View, request: HttpRequest) -> JsonResponse:
    try:
        return view(request)
    except BadCall as bad:
        return refusal(bad.error, bad.description, bad.status)
    except VerificationFailed:
        return refusal("invalid_client", "Client authentication failed.", 401)
    except RateLimited as limited:
        return refusal("too_many_requests", "Too many attempts.", 429, {"Retry-After": str(limited.retry_after)})
    except (Unavailable, OperationalError, InterfaceError) as error:
        if not isinstance(error, Unavailable):
            logger.exception("the database does not answer")
        return refusal("temporarily_unavailable", "Try again later.", 503, {"Retry-After": "5"})
    except Exception:
        logger.exception("an OAuth endpoint failed")
        return refusal("server_error", f"Something went wrong. Request {request_id(request)}", 500)


def read_form(request: HttpRequest) -> dict[str, str]:
    """The parameters of a call: printable, each once, empty ones as if they were not sent (RFC 6749 3.2).

    Raises BadCall: 413 for a body over 64 KiB, which is not read; 400 for everything else that is no such form.
    """
    if request.META.get("QUERY_STRING"):
        raise BadCall("invalid_request", "Parameters belong in the body.")
    if request.content_type != FORM:
        raise BadCall("invalid_request", f"Send {FORM}.")
    parameters: dict[str, str] = {}
    for name, value in _pairs(_body(request)):
        if not value:
            continue
        if name in parameters:
            raise BadCall("invalid_request", "A parameter was sent twice.")
        if not (name + value).isprintable():
            raise BadCall("invalid_request", "A parameter has characters that no parameter has.")
        parameters[name] = value
    return parameters


def _body(request: HttpRequest) -> bytes:
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.BODY_LIMIT:
            raise BadCall("invalid_request", "The body is too large.", 413)
        return whole_body(request)
    except (ValueError, UnreadablePostError, SuspiciousOperation):
        raise BadCall("invalid_request", "The body cannot be read.") from None


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadCall("invalid_request", "The body is not a form.") from None


def read_credentials(request: HttpRequest, form: dict[str, str]) -> Credentials | None:
    """The client's own credentials: HTTP Basic, or `client_id` and `client_secret` in the body; None without.

    Both ways at once are 400 (RFC 6749 2.3), unless the body only repeats the client id.
    """
    authorization = request.headers.get("Authorization", "")
    if not authorization:
        if "client_id" not in form:
            return None
        return Credentials(form["client_id"], form.get("client_secret", ""))
    sent = _read_basic(authorization)
    if "client_secret" in form or form.get("client_id", sent.client_id) != sent.client_id:
        raise BadCall("invalid_request", "Prove the client in one way only.")
    return sent


def _read_basic(authorization: str) -> Credentials:
    """RFC 6749 2.3.1: both parts are form-encoded before they are joined. Another scheme proves nothing."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return Credentials("", "")
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        return Credentials(unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict"))
    except (binascii.Error, ValueError):
        return Credentials("", "")
