"""Peere's wire: one envelope around every answer, refusals included, in camelCase JSON."""

import re
from typing import Final

from rest_framework import serializers

from merchants.operations.naming import BAD_FORM
from portal.api.dialect import Dialect, Refusal
from portal.api.serializing import Output
from portal.api.spelling import Spelling, camel
from portal.core import errors
from portal.core.actor import ActorKind, Channel


class Done(Output):
    """The envelope of an answer that has nothing more to tell."""

    status_code = serializers.IntegerField(help_text="The HTTP status again")
    success = serializers.BooleanField()
    message = serializers.CharField()


class RefusalBody(Done):
    """The envelope of a refusal: `success` is false, `message` says why."""


def envelope(message: str = "", data: object = None) -> dict[str, object]:
    """What is put around an answer, in the vendor's order; the list has no message."""
    body: dict[str, object] = {"status_code": 200, "success": True}
    if message:
        body["message"] = message
    return body if data is None else {**body, "data": data}


def error_body(refusal: Refusal) -> dict[str, object]:
    """The body of a refusal."""
    return {"statusCode": refusal.status, "success": False, "message": _message(refusal)}


def _message(refusal: Refusal) -> str:
    """A 400 names its fields; a device id of a wrong form has the vendor's own sentence."""
    if refusal.status == 400 and refusal.fields:
        told = [_told(problem) for problem in refusal.fields]
        return told[0] if len(told) == 1 else " ".join(one if one.endswith(".") else f"{one}." for one in told)
    if refusal.status >= 500 and refusal.request_id:
        return f"{refusal.message} Request id: {refusal.request_id}"
    return refusal.message


def _told(problem: errors.FieldProblem) -> str:
    if (problem.field, problem.code) == ("device_id", "invalid-format"):
        return BAD_FORM
    return f"{DIALECT.field_name(problem)}: {problem.message}"


DIALECT: Final = Dialect(
    name="peere",
    channel=Channel.PEERE,
    title="Peere Customer Devices API",
    about="A bank links its customers' devices to their phrases; a merchant looks a customer up by device.",
    paths=re.compile(r"/v1/(bank|customer)(/.*)?", re.DOTALL),
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
    error_serializers={0: RefusalBody},
    bearers=frozenset({ActorKind.BANK, ActorKind.MERCHANT}),
)
