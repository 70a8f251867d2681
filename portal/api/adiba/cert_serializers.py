"""What Adiba's clients send and get about certificates."""

import base64
from dataclasses import dataclass
from typing import Final

from rest_framework import serializers

from pki.models import Certificate, CertificateRequest
from pki.operations.bundles import Bundle
from pki.operations.requests import Requested
from pki.operations.wishes import KINDS
from pki.states import RequestState
from pki.x509.intake import MAX_TEXT
from pki.x509.pem import pem_of
from pki.x509.profiles import REQUESTABLE
from portal.api.adiba.serializers import ID_LENGTH
from portal.api.serializing import Input, Moment, Number, Output, Text, TextOrNull, Verbatim, Word
from portal.core.texts import LONGEST_REASON

CSR_LENGTH: Final = 64  # of a request's id
WORDS: Final = 20  # usages and names in one call
WORD_LENGTH: Final = 64
HOST_LENGTH: Final = 300
PASSPHRASE_LENGTH: Final = 1024  # far above what is taken; what is too long is told by its rule
SUBMITTED: Final = "CSR generated successfully and submitted for signing"
SIGNED: Final = "Certificate signed successfully"
DELIVERED: Final = "Key and certificate handed out; the key is not kept"
USUAL_TIME: Final = "5-10 minutes"
NO_TIME: Final = "0 minutes"
STATES: Final = {
    RequestState.PENDING: "PENDING",
    RequestState.READY: "APPROVED",
    RequestState.SIGNING: "SIGNING",
    RequestState.ISSUED: "SIGNED",
    RequestState.REJECTED: "REJECTED",
    RequestState.EXPIRED: "EXPIRED",
}


class SubjectDn(Input):
    cn = Text(required=False, max_length=ID_LENGTH)
    o = Text(required=False, max_length=ID_LENGTH)
    ou = Text(required=False, max_length=ID_LENGTH)
    c = Text(required=False, max_length=ID_LENGTH)


class CertificateAsk(Input):
    one_of = ("csr", "key_algorithm")

    device_id = Text(trim_whitespace=False, max_length=ID_LENGTH)
    csr = Verbatim(required=False, trim_whitespace=False, max_length=2 * MAX_TEXT)
    key_algorithm = Word(list(KINDS), required=False)
    key_size = Number(required=False, min_value=1, max_value=65536)
    subject_dn = SubjectDn(required=False)
    san = serializers.ListField(child=Text(max_length=HOST_LENGTH), required=False, max_length=WORDS)
    profile = Word(list(REQUESTABLE), required=False)


class Extensions(Input):
    key_usage = serializers.ListField(child=Text(max_length=WORD_LENGTH), required=False, max_length=WORDS)
    extended_key_usage = serializers.ListField(child=Text(max_length=WORD_LENGTH), required=False, max_length=WORDS)
    subject_alt_name = serializers.ListField(child=Text(max_length=HOST_LENGTH), required=False, max_length=WORDS)


class SignOrder(Input):
    csr_id = Text(max_length=CSR_LENGTH)
    validity_days = Number(required=False, min_value=-(10**6), max_value=10**6)
    certificate_extensions = Extensions(required=False)
    reason = Text(required=False, max_length=LONGEST_REASON)


class BundleOrder(Input):
    csr_id = Text(max_length=CSR_LENGTH)
    passphrase = Verbatim(trim_whitespace=False, max_length=PASSPHRASE_LENGTH)


class Submitted(Output):
    csr_id = serializers.CharField(source="request.public_id")
    status = serializers.SerializerMethodField(help_text=", ".join(STATES.values()))
    csr_content = serializers.SerializerMethodField(help_text="Base64 of the request in PEM")
    requested_at = Moment(source="request.created_at")
    estimated_processing_time = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()

    def get_status(self, made: Requested) -> str:
        return STATES[RequestState(made.request.state)]

    def get_csr_content(self, made: Requested) -> str:
        return base64_pem(bytes(made.request.der), "CERTIFICATE REQUEST")

    def get_estimated_processing_time(self, made: Requested) -> str:
        return USUAL_TIME if made.certificate is None else NO_TIME

    def get_message(self, made: Requested) -> str:
        return SUBMITTED


class Issued(Output):
    certificate_id = serializers.CharField(source="public_id")
    status = serializers.SerializerMethodField()
    certificate_content = serializers.SerializerMethodField(help_text="Base64 of the certificate in PEM")
    valid_from = Moment(source="not_before")
    valid_to = Moment(source="not_after")
    serial_number = serializers.CharField(source="serial_colons")
    message = serializers.SerializerMethodField()

    def get_status(self, certificate: Certificate) -> str:
        return "SIGNED"

    def get_certificate_content(self, certificate: Certificate) -> str:
        return base64_pem(bytes(certificate.der or b""))

    def get_message(self, certificate: Certificate) -> str:
        return SIGNED


@dataclass(frozen=True)
class Standing:
    """A request and what it led to."""

    request: CertificateRequest
    certificate: Certificate | None


class Shown(Output):
    """A request as it stands."""

    csr_id = serializers.CharField(source="request.public_id")
    status = serializers.SerializerMethodField(help_text=", ".join(STATES.values()))
    device_id = serializers.CharField(source="request.device.public_id")
    requested_at = Moment(source="request.created_at")
    expires_at = Moment(source="request.expires_at")
    decided_at = Moment(source="request.decided_at", allow_null=True)
    reason = TextOrNull(source="request.reason")
    certificate = serializers.SerializerMethodField(help_text="As `cert/sign` answers it, once it is signed")
    bundle_ready = serializers.SerializerMethodField(help_text="Whether `cert/bundle` hands a key out")

    def get_status(self, standing: Standing) -> str:
        return STATES[RequestState(standing.request.state)]

    def get_certificate(self, standing: Standing) -> dict[str, object] | None:
        return dict(Issued(standing.certificate).data) if standing.certificate else None

    def get_bundle_ready(self, standing: Standing) -> bool:
        return bool(standing.certificate and standing.request.key_sealed)


class Delivered(Output):
    csr_id = serializers.CharField(source="request.public_id")
    certificate_id = serializers.CharField(source="certificate.public_id")
    status = serializers.SerializerMethodField()
    bundle_content = serializers.SerializerMethodField(help_text="Base64 of a PKCS #12 file under the passphrase")
    taken_at = Moment(source="request.bundle_taken_at")
    message = serializers.SerializerMethodField()

    def get_status(self, bundle: Bundle) -> str:
        return "DELIVERED"

    def get_bundle_content(self, bundle: Bundle) -> str:
        return base64.b64encode(bundle.content).decode()

    def get_message(self, bundle: Bundle) -> str:
        return DELIVERED


def base64_pem(der: bytes, label: str = "CERTIFICATE") -> str:
    """Base64 of PEM, as this vendor writes requests and certificates."""
    return base64.b64encode(pem_of(der, label=label).encode()).decode()
