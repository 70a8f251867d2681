"""Adiba's wire: camelCase JSON, UPPER_SNAKE words, problem details (RFC 9457) on refusals."""

import re
from typing import Final

from rest_framework import serializers

from portal.api.dialect import Dialect, Refusal, phrase
from portal.api.serializing import Output
from portal.api.spelling import Spelling, camel
from portal.core import errors
from portal.core.actor import Channel


def upper_snake(word: str) -> str:
    """`payment-card` → `PAYMENT_CARD`."""
    return word.replace("-", "_").upper()


class FieldErrorBody(Output):
    field = serializers.CharField(allow_blank=True)
    code = serializers.CharField(help_text="The rule, in kebab case")
    message = serializers.CharField()


class Problem(Output):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="The rule, in kebab case")
    errors = FieldErrorBody(many=True, required=False)  # type: ignore[assignment]
    request_id = serializers.CharField(required=False)


def error_body(refusal: Refusal) -> dict[str, object]:
    """The body of a refusal. `about:blank` says that the title is the status's own (RFC 9457 4.2.1)."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": phrase(refusal.status),
        "status": refusal.status,
        "detail": refusal.message,
        "code": refusal.code,
    }
    if refusal.status == 400 and refusal.fields:
        body["errors"] = [
            {"field": DIALECT.field_name(problem), "code": problem.code, "message": problem.message}
            for problem in refusal.fields
        ]
    if refusal.status >= 500 and refusal.request_id:
        body["requestId"] = refusal.request_id
    return body


DIALECT: Final = Dialect(
    name="adiba",
    channel=Channel.ADIBA,
    title="Adiba Devices API",
    about="A device's status and security posture; the bank activates and deactivates it.",
    paths=re.compile(r"/v1/device/(status|pin|ownership|approvals)(/.*)?", re.DOTALL),
    spelling=Spelling(camel),
    statuses={
        errors.InvalidInput: 400,
        errors.Unauthenticated: 401,
        errors.Forbidden: 403,
        errors.NotFound: 404,
        errors.Conflict: 409,
        errors.InvalidState: 409,
        errors.Expired: 410,
        errors.VerificationFailed: 403,
        errors.RateLimited: 429,
        errors.Locked: 423,
        errors.ApprovalRequired: 409,
        errors.Unavailable: 503,
    },
    statuses_by_code={"idempotency-key-reused": 422},
    error_body=error_body,
    error_serializers={0: Problem},
    error_type="application/problem+json",
    body_types=(),  # the seed's curl lines send JSON labelled as a form
)
