"""Asseco's wire: kebab-case JSON, `errors[]` on refusals, broken business rules on 440."""

import re
from collections.abc import Mapping
from typing import Final

from rest_framework import serializers

from devices.states import DeviceStatus
from portal.api.dialect import Dialect, Refusal, Waiting
from portal.api.serializing import Output
from portal.api.spelling import Spelling, kebab
from portal.core import errors
from portal.core.actor import Channel

PROBLEM: Final = 440  # a valid call that breaks a business rule
PENDING_APPROVAL: Final = "pending-approval"

# The vendor's literals for fields. Ours that it has no word for are told in the nearest of them.
FIELD_LITERALS: Final = frozenset(
    {
        "required",
        "max-length",
        "min-length",
        "out-of-range",
        "invalid-format",
        "unknown-enum",
        "not-on-list",
        "combination-required",
    }
)
NEAREST: Final = {"unknown-field": "not-on-list"}
PROBLEMS: Final = (
    "device-status-not-valid",
    "device-not-unique",
    "nickname-not-unique",
    "valid-push-registration-exist",
)
LITERALS_BY_STATUS: Final = {
    400: "invalid-format",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid-format",
    429: "rate-limited",
    503: "unavailable",
}

SPELLING: Final = Spelling(kebab, {"created_record_status": "CreatedRecordStatus"})
# How operations call the fields of a registration → how the wire does.
PROBLEM_NAMES: Final = {
    "external_id": "external-device-identifier",
    "external_id_kind": "external-device-id-kind",
    "manufacturer": "brand-name",
    "model": "model-name",
}

# Three words for five states: what does not work is "blocked", whoever switched it off.
STATUS_WORDS: Final[Mapping[str, str]] = {
    DeviceStatus.PENDING: "blocked",
    DeviceStatus.ACTIVE: "active",
    DeviceStatus.INACTIVE: "blocked",
    DeviceStatus.BLOCKED: "blocked",
    DeviceStatus.RETIRED: "unregistered",
}
STATUSES: Final = ("active", "blocked", "unregistered")


def statuses_called(word: str) -> list[str]:
    """The states that one of the three words stands for."""
    return [status for status, name in STATUS_WORDS.items() if name == word]


class FieldErrorBody(Output):
    tag = serializers.CharField(allow_null=True, help_text="The field, or null")
    error = serializers.CharField(help_text="The rule, as a literal")
    message = serializers.CharField()


class ErrorsBody(Output):
    errors = FieldErrorBody(many=True)  # type: ignore[assignment]


class ProblemBody(Output):
    problem = serializers.ChoiceField(choices=list(PROBLEMS))
    message = serializers.CharField()
    details = serializers.CharField(allow_null=True, help_text="Which rule of ours, for troubleshooting")


class WaitingBody(Output):
    """A call that is stored and waits for a second person."""

    approval_id = serializers.CharField(
        source="request_id", help_text="`GET /v1/device/approval-requests/{approval-id}` asks"
    )
    status = serializers.SerializerMethodField()
    message = serializers.CharField()

    def get_status(self, error: errors.ApprovalRequired) -> str:
        return PENDING_APPROVAL


def error_body(refusal: Refusal) -> dict[str, object]:
    """The body of a refusal."""
    if refusal.status == PROBLEM:
        problem = refusal.code if refusal.code in PROBLEMS else PROBLEMS[0]
        return {"problem": problem, "message": refusal.message, "details": refusal.code}
    if refusal.fields:
        return {"errors": [_field_error(problem) for problem in refusal.fields]}
    literal = LITERALS_BY_STATUS.get(refusal.status, "server-error")
    return {"errors": [{"tag": None, "error": literal, "message": _message(refusal)}]}


def _field_error(problem: errors.FieldProblem) -> dict[str, object]:
    literal = problem.code if problem.code in FIELD_LITERALS else NEAREST.get(problem.code, "invalid-format")
    return {"tag": DIALECT.field_name(problem) or None, "error": literal, "message": problem.message}


def _message(refusal: Refusal) -> str:
    if refusal.status >= 500 and refusal.request_id:
        return f"{refusal.message} Request id: {refusal.request_id}"
    return refusal.message


DIALECT: Final = Dialect(
    name="asseco",
    channel=Channel.ASSECO,
    title="Asseco Device API",
    about="Customers register their phones, tablets and watches, name them, block and unregister them.",
    paths=re.compile(r"/v1/device(/.*)?", re.DOTALL),
    spelling=SPELLING,
    problem_names=PROBLEM_NAMES,
    statuses={
        errors.InvalidInput: 400,
        errors.Unauthenticated: 401,
        errors.Forbidden: 403,
        errors.NotFound: 404,
        errors.Conflict: PROBLEM,
        errors.InvalidState: PROBLEM,
        errors.Expired: PROBLEM,
        errors.VerificationFailed: 403,
        errors.RateLimited: 429,
        errors.Locked: 403,
        errors.ApprovalRequired: PROBLEM,
        errors.Unavailable: 503,
    },
    statuses_by_code={
        "idempotency-key-reused": 422,
        "idempotency-key-in-use": 409,
        "answer-not-kept": 409,
    },
    waiting=Waiting(path="/v1/device/approval-requests/{}", answer=WaitingBody),
    error_body=error_body,
    error_serializers={0: ErrorsBody, PROBLEM: ProblemBody},
)
