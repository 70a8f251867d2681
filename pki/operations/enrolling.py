"""Enrolment as EST does it: a device sends a request, and the same one again until there is an answer."""

from dataclasses import dataclass
from uuid import UUID

from devices.models import Device
from pki.certificate_policies import policy_of, profile_of
from pki.models import Certificate, CertificateRequest, RequestSource
from pki.operations.refusals import broken
from pki.operations.requests import request_certificate
from pki.operations.rotation_keys import rotate_with_key
from pki.operations.wishes import wish_of_request
from pki.queries.requests import good_certificate_of, request_with_der
from pki.states import CertificateState, RequestState
from pki.x509.findings import RequestRefused
from pki.x509.intake import der_of, request_bytes
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState


@dataclass(frozen=True)
class Enrolled:
    """The request, None for a renewal that needed none, and its certificate as soon as there is one."""

    request: CertificateRequest | None
    certificate: Certificate | None


def enrol(*, actor: Actor, device_id: UUID, csr: str) -> Enrolled:
    """Ask for a certificate, or what became of the very same request.

    csr: PEM, or DER in base64. A request that was sent before is answered by what it led to: its certificate while
    that is good, or no more than that it waits. Raises Forbidden `request-rejected` for one that somebody rejected,
    and what `request_certificate` raises.
    """
    try:
        der = der_of(request_bytes(csr))
    except RequestRefused as refused:
        raise broken(refused) from None
    before = request_with_der(actor, device_id, der)
    if before is not None and (certificate := good_certificate_of(before)):
        return Enrolled(before, certificate)
    if before is not None and before.state == RequestState.REJECTED:
        raise Forbidden(f"This request was rejected. {before.reason}".strip(), code="request-rejected")
    made = request_certificate(actor=actor, device_id=str(device_id), csr=der, source=RequestSource.EST)
    return Enrolled(made.request, made.certificate)


def enrol_again(*, actor: Actor, device_id: UUID, csr: str, by_certificate: bool) -> Enrolled:
    """Renew a device's certificate: with a new key at any time, with the same key in the last third of its life.

    by_certificate: the device showed that it holds the key of its certificate. Without, a new key is one more
    request, signed at once only where the bank's policy signs requests at once: whoever has no more than a token does
    not replace a device's key.
    A repeat with the key of a new certificate that the device has not used yet is that certificate: the answer may
    have been lost. Raises InvalidState `no-certificate` where there is nothing to renew, and what `rotate_with_key`
    and the gate raise.
    """
    device = Device.objects.visible_to(actor).get_named(str(device_id), actor.bank_id)
    active = Certificate.objects.current().filter(device=device).first()
    if active is None:
        raise InvalidState("This device has no certificate to renew.", code="no-certificate")
    checked = wish_of_request(csr, device, profile_of(policy_of(device.bank_id), active.profile)).checked
    is_same = checked.key.fingerprint == active.key_fingerprint
    if is_same and _is_fresh(active):
        return Enrolled(None, active)
    if not is_same and not by_certificate:
        return enrol(actor=actor, device_id=device_id, csr=csr)
    renewed = rotate_with_key(actor=actor, device_id=device.public_id, request=checked, early=True)
    return Enrolled(None, renewed)


def _is_fresh(certificate: Certificate) -> bool:
    """Whether it took another one's place and waits for the device to use it."""
    if certificate.proved_at is not None or certificate.replaces_id is None:
        return False
    return Certificate.objects.filter(pk=certificate.replaces_id, state=CertificateState.OVERLAP).exists()
