"""SPiD's wire: one container around every answer, its own sentences for refusals, 420 over the limit.

Sources: the vendor's description (table of failure cases) and its page on endpoints (container, `request`, formats).
"""

import re
from collections.abc import Mapping
from typing import Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.dialect import FORM, JSON, Dialect, Limit, Refusal
from portal.api.serializing import Output
from portal.api.spelling import Spelling, camel
from portal.api.spid.tokens import tokens_of
from portal.core import errors
from portal.core.actor import ActorKind, Channel
from portal.ratelimit import Rate

PREFIX: Final = "Invalid payload data"  # mobile clients look for it
UNAUTHORISED: Final = "Unauthorised access"
# The sentences of the vendor's description, by our rule; its spelling is kept.
SENTENCES: Final[Mapping[str, str]] = {
    "unauthorized": "Invalid token",
    "token-expired": "Invalid token: it has expired",
    "administers-nothing": "You don't have administration rights for this client.",
    "client-administers-nothing": "Your client doesn't have administration rights for this client.",
    "bearer-not-served": ("Client is not authorized to access this API endpoint. Contact SPiD to request access."),
    "ip-not-allowed": "Requesting IP is not whitelisted",
    "user-suspended": UNAUTHORISED,
    "insufficient-scope": UNAUTHORISED,
    "dialect-not-open": "Access token rejected",
    "client-unknown": "Unknown client ID",
    "client-mismatch": (
        "Client ID mismatch. The client making the request is no the owner of this resource, and does not have "
        "administrative privileges for it."
    ),
    "rate-limited": "Request Ratelimit exceeded",
}
# What is wrong with a token is said without a container: clients look at `error` for the word.
TOKEN_ERRORS: Final[Mapping[str, str]] = {
    "unauthorized": "invalid_token",
    "token-expired": "expired_token",
    "insufficient-scope": "insufficient_scope",
}
# Names that are not camelCase on the wire.
AS_THEY_ARE: Final = (
    "oauth_token",
    "client_id",
    "client_secret",
    "redirect_uri",
    "error_code",
    "error_description",
)


class RequestState(Output):
    """The caller's rate limit at this moment."""

    reset = serializers.IntegerField(help_text="Seconds until the limit begins anew")
    limit = serializers.IntegerField()
    remaining = serializers.IntegerField()


@extend_schema_field({"type": "null"})
class Nothing(serializers.JSONField):
    """What the vendor's container has, and this portal never fills."""


@extend_schema_field(
    {
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    "code": {"type": "integer"},
                    "type": {"type": "string"},
                    "description": {"type": "string"},
                },
                "required": ["code", "type", "description"],
            },
            {"type": "string"},
        ],
        "description": "A word where a token does not open this, as in OAuth.",
    }
)
class ErrorInside(serializers.JSONField):
    """What went wrong."""


class RefusalBody(Output):
    """A container with `type` error; of a token that does not open this, the word in `error` and no container."""

    name = serializers.CharField(required=False)
    version = serializers.CharField(required=False)
    api = serializers.IntegerField(required=False)
    object = serializers.CharField(required=False, allow_null=True)
    type = serializers.CharField()
    code = serializers.IntegerField(required=False)
    request = RequestState(required=False, allow_null=True)
    debug = Nothing(required=False)
    meta = Nothing(required=False)
    error = ErrorInside()
    data = Nothing(required=False)  # type: ignore[assignment]
    error_code = serializers.IntegerField(required=False)
    error_description = serializers.CharField(required=False)


def container(*, type: str, code: int, rate: Rate | None, object: str | None, **parts: object) -> dict[str, object]:
    """The container, in the vendor's order. `request` is null where a call was refused before it was counted."""
    return {
        "name": "SPP Container",
        "version": "0.2",
        "api": 2,
        "object": object,
        "type": type,
        "code": code,
        "request": rate and {"reset": rate.reset, "limit": rate.limit, "remaining": rate.remaining},
        "debug": None,
        "meta": None,
        "error": None,
        "data": None,
        **parts,
    }


def error_body(refusal: Refusal) -> dict[str, object]:
    """The body of a refusal."""
    if refusal.code in TOKEN_ERRORS:
        return {
            "error": TOKEN_ERRORS[refusal.code],
            "error_code": refusal.status,
            "type": "OAuthException",
            "error_description": SENTENCES[refusal.code],
        }
    error = {"code": refusal.status, "type": "ApiException", "description": _description(refusal)}
    return container(type="error", code=refusal.status, rate=refusal.rate, object=None, error=error)


def _description(refusal: Refusal) -> str:
    if refusal.status == 400:
        told = [f"{DIALECT.field_name(problem)}: {problem.message}" for problem in refusal.fields]
        return f"{PREFIX}: {' '.join(told) or refusal.message}"
    if refusal.status == 415:
        return f"{refusal.message} A form ({FORM}) is read too."
    if refusal.status >= 500 and refusal.request_id:
        return f"{refusal.message} Request id: {refusal.request_id}"
    return SENTENCES.get(refusal.code, refusal.message)


DIALECT: Final = Dialect(
    name="spid",
    channel=Channel.SPID,
    title="SPiD Devices API",
    about="A fingerprint of the device and application that a customer signs in with.",
    paths=re.compile(r"/api/2(/.*)?", re.DOTALL),
    spelling=Spelling(camel, {name: name for name in AS_THEY_ARE}),
    statuses={
        errors.InvalidInput: 400,
        errors.Unauthenticated: 401,
        errors.Forbidden: 403,
        errors.NotFound: 404,
        errors.Conflict: 409,
        errors.InvalidState: 409,
        errors.Expired: 410,
        errors.VerificationFailed: 403,
        errors.RateLimited: 420,
        errors.Locked: 423,
        errors.ApprovalRequired: 409,
        errors.Unavailable: 503,
    },
    statuses_by_code={
        "administers-nothing": 401,
        "client-administers-nothing": 401,
        "user-suspended": 403,
        "idempotency-key-reused": 422,
    },
    error_body=error_body,
    error_serializers={0: RefusalBody},
    body_types=(FORM, JSON),
    tokens_of=tokens_of,
    bearers=frozenset({ActorKind.CUSTOMER}),
    dead_tokens={"expired": "token-expired", "user-suspended": "user-suspended"},
    limit=Limit(name="spid", setting="SPID_CALLS_PER_HOUR", window=3600),
)
