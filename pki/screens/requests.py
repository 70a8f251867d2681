"""Certificate requests as the portal's pages show them: plain values."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from cryptography import x509
from django.urls import reverse

from pki import policies
from pki.models import Certificate, CertificateRequest, RequestSource
from pki.operations.signing_terms import Draft, draft_of
from pki.queries.requests import RequestFilter
from pki.screens.certificates import brief, device
from pki.states import RequestState
from pki.x509.describe import KEY_LABELS, describe_certificate
from portal.accounts.roles import Capability, who_can
from portal.core.actor import Actor
from portal.core.errors import BrokenRule, DomainError, RulesBroken

TABS: Final = {
    "": "All",
    RequestState.PENDING: "Waiting",
    RequestState.READY: "Allowed",
    RequestState.ISSUED: "Signed",
    RequestState.REJECTED: "Rejected",
    RequestState.EXPIRED: "Expired",
}
_DECIDABLE: Final = (RequestState.PENDING, RequestState.READY)


def row(request: CertificateRequest) -> dict[str, object]:
    """A request for a list; its device has to be read with it."""
    return {
        "url": reverse("pki:request", args=[request.pk]),
        "public_id": request.public_id,
        "device": device(request.device),
        "owner": request.device.owner.name,
        "state": request.state,
        "mark": f"request-{request.state}",
        "source": RequestSource(request.source).label,
        "key": KEY_LABELS.get(request.key_algorithm, request.key_algorithm),
        "profile": request.profile,
        "created_at": request.created_at,
        "expires_at": request.expires_at if request.state == RequestState.PENDING else None,
    }


def facts(request: CertificateRequest, certificate: Certificate | None) -> dict[str, object]:
    """A request for its own page."""
    return row(request) | {
        "uuid": request.pk,
        "fingerprint": request.key_fingerprint,
        "maker": request.maker_label,
        "maker_kind": request.maker_kind,
        "decided_by": request.decided_by.name if request.decided_by else "",
        "decided_at": request.decided_at,
        "reason": request.reason,
        "certificate": brief(certificate) if certificate else None,
        "key_kept": bool(request.key_sealed),
        "bundle_taken_at": request.bundle_taken_at,
    }


def tabs(wanted: RequestFilter, counts: Mapping[RequestState, int]) -> list[dict[str, object]]:
    """One tab a state, with the search kept; the one that is shown is marked."""
    return [
        {
            "label": label,
            "url": _list_url(wanted.q, str(state)),
            "current": str(state) == (wanted.state if wanted.state in TABS else ""),
            "count": counts[RequestState(state)] if state else sum(counts.values()),
        }
        for state, label in TABS.items()
    ]


def judged(request: CertificateRequest, certificate: Certificate | None) -> dict[str, object]:
    """What is asked for beside what the certificate holds, or would, and everything that stands in the way now."""
    if request.state not in _DECIDABLE:
        return {"lines": _lines(request, _inside(certificate)), "findings": [], "open": False}
    try:
        return {"lines": _lines(request, _drafted(draft_of(request))), "findings": [], "open": True}
    except RulesBroken as refused:
        findings = [_finding(finding) for finding in refused.findings]
    except DomainError as refusal:
        findings = [{"rule": refusal.code, "message": refusal.message, "source": ""}]
    return {"lines": _lines(request, {}), "findings": findings, "open": True}


def decision(actor: Actor, request: CertificateRequest) -> dict[str, object] | None:
    """Whether this person may decide now, and if not, why; nothing where there is nothing to decide."""
    if request.state not in _DECIDABLE:
        return None
    try:
        policies.require_sign(actor, request)
    except DomainError as refusal:
        missing = refusal.code == "capability-missing"
        who = ", ".join(role.lower() for role in who_can(Capability.PKI_SIGN)) if missing else ""
        return _offer(refusal.message, who, refusal.code)
    return _offer("", "", "")


def _offer(message: str, who: str, rule: str) -> dict[str, object]:
    return {
        "label": "Deciding",
        "allowed": not rule,
        "message": message,
        "way_out": "",
        "who": who,
        "rule": rule,
    }


def _finding(finding: BrokenRule) -> dict[str, str]:
    return {"rule": finding.rule, "message": finding.message, "source": finding.source}


def _lines(request: CertificateRequest, held: Mapping[str, list[str]]) -> list[dict[str, object]]:
    """One line for each thing a certificate says: what was asked, and what it holds."""
    asked = request.asked
    wanted = {
        "Subject": [f"{name}={value}" for name, value in asked.get("subject", [])],
        "Other names": [f"{kind} {value}" for kind, value in asked.get("names", [])],
        "Key usage": asked.get("uses") or [],
        "Purposes": asked.get("purposes") or [],
        "Days": [],
        "Issuer": [],
    }
    return [{"label": label, "asked": words, "held": held.get(label, [])} for label, words in wanted.items()]


def _drafted(draft: Draft) -> dict[str, list[str]]:
    """What a certificate would hold."""
    subject, granted = draft.subject, draft.granted
    unit = [f"OU={subject.unit}"] if subject.unit else []
    return {
        "Subject": [f"C={subject.country}", f"O={subject.organization}", *unit, f"CN={subject.common_name}"],
        "Other names": [f"{name.kind} {name.value}" for name in draft.names],
        "Key usage": sorted(granted.uses),
        "Purposes": list(granted.purposes),
        "Days": [str(granted.days)],
        "Issuer": [draft.authority.name],
    }


def _inside(certificate: Certificate | None) -> dict[str, list[str]]:
    """What a certificate holds; nothing where none was made."""
    if certificate is None or not certificate.der:
        return {}
    read = x509.load_der_x509_certificate(bytes(certificate.der))
    found = describe_certificate(read)
    life = certificate.not_after - certificate.not_before
    return {
        "Subject": [part.rfc4514_string() for part in read.subject.rdns],
        "Other names": [f"{kind} {value}" for kind, value in found.names],
        "Key usage": sorted(found.uses),
        "Purposes": list(found.purposes),
        "Days": [str(round(life / timedelta(days=1)))],
        "Issuer": [certificate.authority.name],
    }


def _list_url(text: str, state: str) -> str:
    query = {name: value for name, value in (("q", text), ("state", state)) if value}
    url = reverse("pki:requests")
    return f"{url}?{urlencode(query)}" if query else url
