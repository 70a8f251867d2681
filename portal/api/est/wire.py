"""EST's wire (RFC 7030, with RFC 8951): DER in base64, refusals as plain text that a person can read."""

import base64
import re
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import load_der_x509_certificate
from django.http import HttpResponse

from portal.api.dialect import Dialect, Refusal
from portal.api.spelling import Spelling, camel
from portal.core import errors
from portal.core.actor import ActorKind, Channel

PKCS10: Final = "application/pkcs10"
PKCS7: Final = "application/pkcs7-mime"
CERTS_ONLY: Final = "application/pkcs7-mime; smime-type=certs-only"
CSR_ATTRIBUTES: Final = "application/csrattrs"
TEXT: Final = "text/plain; charset=utf-8"


def error_body(refusal: Refusal) -> str:
    """A rule and a sentence; where a request breaks rules, a line for each; of what failed on our side, its id."""
    lines = [f"{refusal.code}: {refusal.message}"]
    if refusal.findings:
        lines = [refusal.code, *(f"{one.rule}: {one.message} ({one.source})" for one in refusal.findings)]
    if refusal.status >= 500 and refusal.request_id:
        lines.append(f"request-id: {refusal.request_id}")
    return "\n".join([*lines, ""])


DIALECT: Final = Dialect(
    name="est",
    channel=Channel.EST,
    title="Enrolment over Secure Transport",
    about="Certificates for standard clients (RFC 7030).",
    paths=re.compile(r"/\.well-known/est(/.*)?", re.DOTALL),
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
    statuses_by_code={"not-pkcs10": 415},
    error_body=error_body,
    error_type=TEXT,
    bearers=frozenset({ActorKind.CUSTOMER}),
)


def certificates(ders: list[bytes], content_type: str) -> HttpResponse:
    """Certificates alone, in a PKCS #7 without a signature (RFC 7030 4.1.3, 4.2.3)."""
    found = [load_der_x509_certificate(der) for der in ders]
    return encoded(pkcs7.serialize_certificates(found, Encoding.DER), content_type)


def encoded(der: bytes, content_type: str) -> HttpResponse:
    """DER in base64, in lines (RFC 8951 3.1). Older clients look for the encoding in a header of its own."""
    response = HttpResponse(base64.encodebytes(der), content_type=content_type)
    response["Content-Transfer-Encoding"] = "base64"
    return response


def plain(status: int, text: str) -> HttpResponse:
    """An answer for people (RFC 7030 4.2.3)."""
    return HttpResponse(f"{text}\n", status=status, content_type=TEXT)
