"""EST's endpoints (RFC 7030 4): the authorities' certificates, enrolment, renewal, and what a request should hold."""

from typing import ClassVar, Final

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from pki.operations.enrolling import Enrolled, enrol, enrol_again
from pki.queries.authorities_for_clients import certificates_for, keys_taken, only_issuing_bank
from pki.x509.csr_attributes import csr_attributes
from portal import metrics
from portal.accounts.models import Bank
from portal.api.auth import count_stray
from portal.api.body import read_bytes
from portal.api.errors import DoorError, refusal_of
from portal.api.est import wire
from portal.api.est.callers import Caller, caller_of
from portal.api.est.wire import DIALECT
from portal.api.refusals import write_event
from portal.core.errors import InvalidInput, NotFound
from portal.requests import request_id

ASK_AGAIN: Final = 300  # seconds
KEEP: Final = "public, max-age=3600"
NOTHING_HERE: Final = "There is nothing at this address."


@method_decorator(csrf_exempt, name="dispatch")  # no cookie opens anything here
class EstView(View):
    """One endpoint. method: the only one it knows, besides HEAD where that is GET. label: a bank's code, or ""."""

    method: ClassVar[str] = "POST"

    def dispatch(self, request: HttpRequest, label: str = "") -> HttpResponse:
        try:
            if request.method != self.method and (request.method, self.method) != ("HEAD", "GET"):
                count_stray(request, DIALECT)
                raise DoorError(405, headers={"Allow": "GET, HEAD" if self.method == "GET" else self.method})
            return self.answer(request, label)
        except Exception as error:  # noqa: BLE001  the last line before the server
            return refused(request, error)

    def answer(self, request: HttpRequest, label: str) -> HttpResponse:
        """What the endpoint answers. Raises whatever stands in the way."""
        count_stray(request, DIALECT)
        raise NotFound(NOTHING_HERE)


class CaCertsView(EstView):
    """Everything a client needs to check certificates of a bank: for anybody."""

    method = "GET"

    def answer(self, request: HttpRequest, label: str) -> HttpResponse:
        response = wire.certificates(certificates_for(_bank(label)), wire.PKCS7)
        response["Cache-Control"] = KEEP
        return response


class CsrAttrsView(EstView):
    """Which key a request should be made with: for anybody."""

    method = "GET"

    def answer(self, request: HttpRequest, label: str) -> HttpResponse:
        response = wire.encoded(csr_attributes(keys_taken(_bank(label))), wire.CSR_ATTRIBUTES)
        response["Cache-Control"] = KEEP
        return response


class SimpleEnrollView(EstView):
    """A device's first certificate, or one more."""

    def answer(self, request: HttpRequest, label: str) -> HttpResponse:
        caller = caller_of(request)
        csr = _csr(request, label, caller)
        return _answer(enrol(actor=caller.actor, device_id=caller.device_id, csr=csr))


class SimpleReenrollView(EstView):
    """The next certificate of a device that has one."""

    def answer(self, request: HttpRequest, label: str) -> HttpResponse:
        caller = caller_of(request)
        csr = _csr(request, label, caller)
        return _answer(
            enrol_again(actor=caller.actor, device_id=caller.device_id, csr=csr, by_certificate=caller.by_certificate)
        )


class UnknownView(EstView):
    """What EST also knows and we do not: full CMC, keys made by the server, and any other address."""

    def dispatch(self, request: HttpRequest, label: str = "") -> HttpResponse:
        try:
            return self.answer(request, label)
        except Exception as error:  # noqa: BLE001
            return refused(request, error)


def refused(request: HttpRequest, error: Exception) -> HttpResponse:
    """One refusal, one event where the caller showed something, one text."""
    refusal = refusal_of(error, DIALECT, request_id=request_id(request))
    metrics.count_refusal(DIALECT.name, refusal.code)
    if refusal.status < 500:
        write_event(request, DIALECT, error, refusal, None)
    return DIALECT.refuse(refusal)


def _bank(label: str) -> Bank:
    """The bank whose code a path names; without one, the only bank that issues. Raises NotFound."""
    bank = Bank.objects.filter(code=label).first() if label else only_issuing_bank()
    if bank is None:
        raise NotFound(NOTHING_HERE)
    return bank


def _csr(request: HttpRequest, label: str, caller: Caller) -> str:
    """The request in the body, once the caller's bank is the one it named."""
    if label and _bank(label).pk != caller.actor.bank_id:
        raise NotFound(NOTHING_HERE)
    body = read_bytes(request)
    if body and request.content_type != wire.PKCS10:
        raise InvalidInput("The body has to be application/pkcs10: DER in base64.", code="not-pkcs10")
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise BadRequest from None


def _answer(enrolled: Enrolled) -> HttpResponse:
    if enrolled.certificate is not None:
        return _issued(bytes(enrolled.certificate.der or b""))
    name = enrolled.request.public_id if enrolled.request else "the request"
    response = wire.plain(202, f"pending: {name} waits to be signed. Send the same request again.")
    response["Retry-After"] = str(ASK_AGAIN)
    response["Cache-Control"] = "no-store"
    return response


def _issued(der: bytes) -> HttpResponse:
    response = wire.certificates([der], wire.CERTS_ONLY)
    response["Cache-Control"] = "no-store"
    return response
