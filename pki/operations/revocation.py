"""Revoking certificates, and putting them on hold, one at a time and for a reason."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import Device
from pki import policies
from pki.models import Certificate, CertificateRequest
from pki.operations import ending, issuance
from pki.operations.request_steps import close
from pki.queries.compromise import KeyUse
from pki.states import ENDABLE, CertificateState, RequestState, RevocationReason
from portal.accounts.operations.tokens import end_tokens_of_device
from portal.accounts.policies import require_reason
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, InvalidState, NotFound

REVOKE: Final = "pki.revoke"
CAUSES: Final = tuple(cause for cause in RevocationReason if cause != RevocationReason.CERTIFICATE_HOLD)
COMPROMISED: Final = "The key was compromised."


@dataclass(frozen=True)
class Ended:
    """The certificate after the call, whether the call changed anything, and what else ended, by kind."""

    certificate: Certificate
    changed: bool
    counts: dict[str, int] = field(default_factory=dict)


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    certificate = _found(actor, arguments["certificate_id"])
    return list(consequences(certificate, arguments["cause"]))


def _facts(ended: Ended) -> dict[str, object]:
    return {"certificate_id": ended.certificate.public_id, "status": ended.certificate.state, **ended.counts}


@four_eyes(
    FourEyes(
        name=REVOKE,
        label="Revoke a certificate",
        names=lambda certificate: {"certificate_id": certificate.public_id},
        preview=_preview,
        facts=_facts,
        client_scope="pki:sign",
    )
)
@transaction.atomic
def revoke_certificate(*, actor: Actor, certificate_id: str, cause: str, reason: str = "") -> Ended:
    """Revoke a certificate for good. One that is revoked keeps its date and cause; then nothing changes.

    certificate_id: `CERT_…`. cause: one of CAUSES. reason: up to 500 characters; staff must give one.
    `key-compromise` blocks the key everywhere, also of a certificate that is revoked or ran out: each certificate
    with it, in any bank, is revoked, requests with it are rejected, approval keys that are the same key retire, and
    the sessions of all those devices end.

    Raises Forbidden, NotFound, InvalidInput, InvalidState `certificate-state-not-valid`, and ApprovalRequired where
    the bank's policy wants two people. A hold never waits: use it meanwhile.
    """
    policies.require_revoke(actor)
    reason, why = require_reason(reason, needed=actor.is_staff), _checked_cause(cause)
    use = _use(_found(actor, certificate_id))
    compromised = why == RevocationReason.KEY_COMPROMISE
    certificate = _locked(actor, certificate_id, use if compromised else None)
    if _is_repeat(certificate, use if compromised else None):
        return Ended(certificate, False)
    if not policies.may_revoke(certificate, why):
        raise _not_now(certificate)
    require_by_policy(actor, REVOKE, certificate)
    if not compromised:
        return Ended(certificate, ending.revoke(actor, certificate, why, why=reason), {"certificates": 1})
    return Ended(certificate, True, _compromise(actor, certificate, use, reason or COMPROMISED))


@transaction.atomic
def hold_certificate(*, actor: Actor, certificate_id: str, reason: str = "") -> Ended:
    """Put a certificate on hold at once, by itself: its device being switched on does not release it.

    One that is on hold with its device becomes held by itself. reason: as in `revoke_certificate`. Raises Forbidden,
    NotFound, InvalidInput, InvalidState `certificate-state-not-valid`.
    """
    policies.require_revoke(actor)
    reason = require_reason(reason, needed=actor.is_staff)
    certificate = _locked(actor, certificate_id)
    if certificate.state not in ENDABLE:
        raise _not_now(certificate)
    if not policies.may_hold(certificate):
        return Ended(certificate, False)
    return Ended(certificate, ending.hold(actor, certificate, why=reason, apart=True))


@transaction.atomic
def release_certificate(*, actor: Actor, certificate_id: str, reason: str = "") -> Ended:
    """Let a held certificate go on. While its device is off it stays on hold, and comes back with the device.

    One that is not on hold stays as it is. reason: as in `revoke_certificate`. Raises Forbidden, NotFound,
    InvalidInput, InvalidState `certificate-state-not-valid` (revoked), `certificate-expired`.
    """
    policies.require_revoke(actor)
    reason = require_reason(reason, needed=actor.is_staff)
    certificate = _locked(actor, certificate_id)
    if certificate.state not in ENDABLE:
        raise _not_now(certificate)
    if certificate.not_after <= clock.now():
        raise InvalidState("This certificate has run out.", code="certificate-expired")
    if not policies.may_release(certificate):
        return Ended(certificate, False)
    if not certificate.device.is_active:
        return Ended(certificate, ending.leave_to_device(actor, certificate, why=reason))
    return Ended(certificate, ending.release(actor, certificate, why=reason))


def consequences(certificate: Certificate, cause: str) -> list[tuple[int, str]]:
    """What revoking would end now, counted. Changes nothing."""
    if cause == RevocationReason.KEY_COMPROMISE:
        return _use(certificate).lines()
    return [(int(certificate.state in ENDABLE), "certificate is revoked")]


def _is_repeat(certificate: Certificate, compromised: KeyUse | None) -> bool:
    """Whether nothing is left to do: it is revoked already, or it is over and its key is blocked already."""
    if compromised is None:
        return certificate.state == CertificateState.REVOKED
    return certificate.state in {CertificateState.REVOKED, CertificateState.EXPIRED} and compromised.is_blocked()


def _use(certificate: Certificate) -> KeyUse:
    return KeyUse(certificate.key_fingerprint, certificate.device_id)


def _compromise(actor: Actor, certificate: Certificate, use: KeyUse, why: str) -> dict[str, int]:
    """All devices concerned are locked. What belongs to other banks ends in our own name: no bank reads of another's
    staff."""
    counts = {"requests": 0, "certificates": 0}
    ending.block_key(use.fingerprint, why)
    for started in use.being_signed():
        issuance.abort(_in_bank(actor, started.bank_id), started.pk, COMPROMISED)
    for request in use.requests().select_for_update(of=("self",)).order_by("pk"):
        close(_in_bank(actor, request.bank_id), request, RequestState.REJECTED, Event.CSR_REJECTED, COMPROMISED)
        counts["requests"] += 1
    for one in use.certificates().select_for_update(of=("self",)).order_by("pk"):
        row = certificate if one.pk == certificate.pk else one
        text = why if one.bank_id == actor.bank_id else COMPROMISED
        ending.revoke(_in_bank(actor, one.bank_id), row, RevocationReason.KEY_COMPROMISE, why=text)
        counts["certificates"] += 1
    CertificateRequest.objects.filter(key_fingerprint=use.fingerprint).exclude(key_sealed="").update(key_sealed="")
    counts["approval_keys"] = use.approval_keys().update(retired_at=clock.now())
    devices = list(use.devices().order_by("pk").values_list("pk", flat=True))
    counts["sessions"] = sum(end_tokens_of_device(device_id) for device_id in devices)
    details = {"fingerprint": use.fingerprint, "ended": counts}
    audit.record(actor, Event.KEY_BLOCKED, certificate, reason=why, details=details)
    return counts


def _in_bank(actor: Actor, bank_id: UUID) -> Actor:
    return actor if actor.bank_id in {bank_id, None} else Actor.system("pki.key-blocked", bank_id=bank_id)


def _found(actor: Actor, certificate_id: str) -> Certificate:
    certificate = Certificate.objects.visible_to(actor).named(certificate_id).first()
    if certificate is None:
        raise NotFound("There is no such certificate.")
    return certificate


def _locked(actor: Actor, certificate_id: str, use: KeyUse | None = None) -> Certificate:
    """The device first, then the certificate. With `use`: every device that has to do with the key, in one order."""
    found = _found(actor, certificate_id)
    devices = use.devices() if use else Device.objects.filter(pk=found.device_id)
    list(devices.select_for_update().order_by("pk").values_list("pk", flat=True))
    rows = Certificate.objects.visible_to(actor).select_for_update(of=("self",)).select_related("device")
    certificate = rows.filter(pk=found.pk).first()
    if certificate is None:  # its device changed hands meanwhile
        raise NotFound("There is no such certificate.")
    return certificate


def _checked_cause(cause: str) -> RevocationReason:
    if cause not in CAUSES:
        raise InvalidInput.at("cause", "unknown-enum", f"One of: {', '.join(CAUSES)}.")
    return RevocationReason(cause)


def _not_now(certificate: Certificate) -> InvalidState:
    label = CertificateState(certificate.state).label.lower()
    return InvalidState(
        f"This certificate is “{label}”.", code="certificate-state-not-valid", state=certificate.state
    )
