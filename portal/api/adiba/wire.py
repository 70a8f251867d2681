"""Adiba's wire: camelCase JSON, UPPER_SNAKE words, problem details (RFC 9457) on refusals."""

import re
from typing import Final

from rest_framework import serializers

from portal.api.dialect import Dialect, Refusal, Waiting
from portal.api.problems import PROBLEM_TYPE, Problem, problem_body
from portal.api.serializing import Moment, Output
from portal.api.spelling import Spelling, camel
from portal.core import errors
from portal.core.actor import Channel

PENDING_APPROVAL: Final = "PENDING_APPROVAL"


def upper_snake(word: str) -> str:
    """`payment-card` → `PAYMENT_CARD`."""
    return word.replace("-", "_").upper()


class WaitingBody(Output):
    """A call that is stored and waits for a second person."""

    status = serializers.SerializerMethodField()
    approval_id = serializers.CharField(source="request_id", help_text="`GET /v1/device/approvals/{approvalId}` asks")
    device_id = serializers.CharField(source="details.device_id", required=False)
    csr_id = serializers.CharField(source="details.csr_id", required=False)
    message = serializers.CharField()
    expires_at = Moment(source="details.expires_at")

    def get_status(self, error: errors.ApprovalRequired) -> str:
        return PENDING_APPROVAL


def error_body(refusal: Refusal) -> dict[str, object]:
    """The body of a refusal."""
    return problem_body(refusal, DIALECT)


DIALECT: Final = Dialect(
    name="adiba",
    channel=Channel.ADIBA,
    title="Adiba Devices API",
    about="A device's status and security posture, its certificates, its owner and its PIN.",
    paths=re.compile(r"/v1/device/(status|cert|pin|ownership|approvals)(/.*)?", re.DOTALL),
    spelling=Spelling(camel, {"subject_dn": "subjectDN", "cn": "CN", "o": "O", "ou": "OU", "c": "C"}),
    statuses={
        errors.InvalidInput: 400,
        errors.RulesBroken: 422,
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
    problem_names={
        "known_phone": "verificationData.phoneNumber",
        "known_email": "verificationData.email",
        "method": "resetMethod",
    },
    statuses_by_code={"idempotency-key-reused": 422, "same-owner": 422, "weak-pin": 422},
    error_body=error_body,
    error_serializers={0: Problem},
    error_type=PROBLEM_TYPE,
    waiting=Waiting(path="/v1/device/approvals/{}", answer=WaitingBody),
    body_types=(),  # the curl lines in the vendor's description send JSON labelled as a form
)
