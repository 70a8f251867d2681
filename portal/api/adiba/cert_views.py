"""Adiba's endpoints about certificate requests."""

from django.db import models
from django.http import HttpResponse
from django.urls import reverse

from devices import queries
from pki.operations.bundles import take_bundle
from pki.operations.requests import request_certificate
from pki.operations.signing import sign_request
from pki.queries.requests import certificate_of, get_request
from pki.x509.asking import words
from portal.api.adiba import cert_serializers as wire
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.core.actor import Actor

ASKERS = frozenset({"certificates", "staff"})


class _CertView(DialectView):
    """Refusals name the device that the call is about."""

    dialect = DIALECT

    def about(self, actor: Actor) -> models.Model | None:
        if "device_id" in self.values:
            return queries.get_owned_device(actor, self.values["device_id"])
        csr_id = self.values.get("csr_id")
        return get_request(actor, csr_id).device if csr_id else None


class CertRequestView(_CertView):
    required_scopes = ASKERS

    @serves(
        Call(
            summary="Ask for a device's certificate",
            body=wire.CertificateAsk,
            answer=wire.Submitted,
            refusals=(404, 409, 422),
            headers={"Location": "Where the request can be followed"},
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        made = request_certificate(
            actor=self.actor,
            device_id=values["device_id"],
            csr=values.get("csr", ""),
            key_algorithm=values.get("key_algorithm", ""),
            key_size=values.get("key_size"),
            subject={part.upper(): text for part, text in values.get("subject_dn", {}).items()},
            names=values.get("san", ()),
            profile=values.get("profile", "device"),
        )
        location = reverse("adiba:cert-request-poll", args=[made.request.public_id])
        return self.answer(wire.Submitted(made), headers={"Location": location})


class CertRequestPollView(_CertView):
    required_scopes = frozenset({"certificates", "pki:sign", "staff"})

    @serves(Call(summary="Follow a certificate request", answer=wire.Shown, refusals=(404,)))
    def get(self, csr_id: str) -> HttpResponse:
        request = get_request(self.actor, csr_id)
        return self.answer(wire.Shown(wire.Standing(request, certificate_of(request))))


class CertSignView(_CertView):
    required_scopes = frozenset({"pki:sign", "staff"})

    @serves(
        Call(
            summary="Sign a certificate request",
            body=wire.SignOrder,
            answer=wire.Issued,
            refusals=(404, 409, 410, 422),
            may_wait=True,
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        asked = values.get("certificate_extensions", {})
        signed = sign_request(
            actor=self.actor,
            csr_id=values["csr_id"],
            days=values.get("validity_days"),
            uses=_words(asked.get("key_usage")),
            purposes=_words(asked.get("extended_key_usage")),
            reason=values.get("reason", ""),
        )
        return self.answer(wire.Issued(signed.certificate))


class CertBundleView(_CertView):
    required_scopes = frozenset({"certificates"})
    secret_body = True
    secret_answer = True

    @serves(
        Call(
            summary="Fetch a key that was made here, once",
            body=wire.BundleOrder,
            answer=wire.Delivered,
            refusals=(404, 409),
        )
    )
    def post(self) -> HttpResponse:
        bundle = take_bundle(actor=self.actor, csr_id=self.values["csr_id"], passphrase=self.values["passphrase"])
        return self.answer(wire.Delivered(bundle))


def _words(sent: list[str] | None) -> list[str] | None:
    return None if sent is None else list(words(sent))
