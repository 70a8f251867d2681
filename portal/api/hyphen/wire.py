"""Hyphen's wire: camelCase JSON in envelopes of one key, texts that are never null, problem details on refusals."""

import re
from typing import Final

from portal.api.dialect import Dialect, Refusal
from portal.api.problems import PROBLEM_TYPE, Problem, problem_body
from portal.api.spelling import Spelling, camel
from portal.core import errors
from portal.core.actor import Channel

# How operations call the fields of an edit → how the wire does.
PROBLEM_NAMES: Final = {
    "nickname": "name",
    "manufacturer": "deviceManufacturer",
    "model": "deviceModel",
    "language": "lang",
    "operating_system": "osVersion",
    "push_handle": "pushToken",
}


def error_body(refusal: Refusal) -> dict[str, object]:
    """The body of a refusal."""
    return problem_body(refusal, DIALECT)


DIALECT: Final = Dialect(
    name="hyphen",
    channel=Channel.HYPHEN,
    title="Hyphen Device API",
    about="Signing in with a device, a customer's devices that have an approval key, and what they approve.",
    paths=re.compile(r"/(device|auth)/v1(/.*)?", re.DOTALL),
    spelling=Spelling(camel),
    problem_names=PROBLEM_NAMES,
    statuses={
        errors.InvalidInput: 400,
        errors.Unauthenticated: 401,
        errors.Forbidden: 403,
        errors.NotFound: 404,
        errors.Conflict: 409,
        errors.InvalidState: 409,
        errors.Expired: 409,
        errors.VerificationFailed: 403,
        errors.RateLimited: 429,
        errors.Locked: 423,
        errors.ApprovalRequired: 409,
        errors.Unavailable: 503,
    },
    statuses_by_code={"idempotency-key-reused": 422},
    error_body=error_body,
    error_serializers={0: Problem},
    error_type=PROBLEM_TYPE,
)
