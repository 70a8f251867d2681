"""Certificates as the portal's pages show them: plain values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from cryptography import x509
from django.urls import reverse

from devices.models import Device
from devices.screens.registry import name_of
from devices.states import Category
from pki import policies
from pki.models import Certificate, CertificateAuthority
from pki.queries.certificates import BlockedRow, CertificateFilter, CountUpTo, certificates_of
from pki.queries.rotations import open_rotation_of
from pki.screens.authorities import USES
from pki.states import ENDABLE, CaRole, CertificateState, RevocationReason
from pki.x509.describe import KEY_LABELS, describe_certificate
from portal.accounts.roles import Capability, who_can
from portal.core.actor import Actor

TABS: Final = {
    "": "All",
    "live": "Valid",
    CertificateState.OVERLAP: "Overlapping",
    CertificateState.ON_HOLD: "On hold",
    CertificateState.REVOKED: "Revoked",
    CertificateState.EXPIRED: "Expired",
    "unissued": "Never issued",
}


def row(certificate: Certificate) -> dict[str, object]:
    """A certificate for a list; its device has to be read with it."""
    return brief(certificate) | {
        "device": device(certificate.device),
        "profile": certificate.profile,
        "authority": certificate.authority.name,
    }


def brief(certificate: Certificate) -> dict[str, object]:
    """A certificate where its device is known already."""
    return {
        "url": reverse("pki:certificate", args=[certificate.pk]),
        "public_id": certificate.public_id,
        "serial_tail": certificate.serial[-8:],
        "state": certificate.state,
        "mark": f"certificate-{certificate.state}",
        "reason": revocation_reason(certificate),
        "key": KEY_LABELS.get(certificate.key_algorithm, certificate.key_algorithm),
        "issued_at": certificate.issued_at,
        "reserved_at": certificate.reserved_at,
        "not_after": certificate.not_after,
        "renew_at": certificate.renew_at if certificate.state == CertificateState.ACTIVE else None,
        "overlap_until": certificate.overlap_until if certificate.state == CertificateState.OVERLAP else None,
        "revoked_at": certificate.revoked_at,
        "proved_at": certificate.proved_at,
    }


def facts(certificate: Certificate) -> dict[str, object]:
    """A certificate for its own page, with what stands in it. `inside` is None for a serial without a certificate."""
    der = bytes(certificate.der) if certificate.der else b""
    inside = describe_certificate(x509.load_der_x509_certificate(der)) if der else None
    return row(certificate) | {
        "uuid": certificate.pk,
        "serial": certificate.serial_colons,
        "held_apart": certificate.held_apart and certificate.state == CertificateState.ON_HOLD,
        "key_since": certificate.key_since,
        "inside": inside,
        "uses": [USES.get(word, word) for word in inside.uses] if inside else [],
        "size": len(der),
        "request_url": reverse("pki:request", args=[certificate.request_id]) if certificate.request_id else "",
        "replaces": brief(certificate.replaces) if certificate.replaces else None,
    }


def device(found: Device) -> dict[str, object]:
    return {
        "url": reverse("devices:detail", args=[found.pk]),
        "name": name_of(found),
        "kind": found.kind,
        "public_id": found.public_id,
        "last_four": found.external_id_last4,
        "status": found.status,
    }


def revocation_reason(certificate: Certificate) -> str:
    """Why it was revoked or is on hold, in words."""
    reason = certificate.revocation_reason
    return RevocationReason(reason).label if reason else ""


def chain(authorities: Sequence[CertificateAuthority]) -> list[dict[str, object]]:
    """The authorities above a certificate, the root first."""
    return [
        {
            "name": authority.name,
            "role": CaRole(authority.role).label,
            "not_after": authority.not_after,
            "url": reverse("pki:authority", args=[authority.pk]),
        }
        for authority in reversed(authorities)
    ]


def steps(actor: Actor, certificate: Certificate, *, key_blocked: bool) -> list[dict[str, object]]:
    """What may be done with it now, as in devices/_barred.html: also what this person may not, and who may.

    key_blocked: nothing is left to revoke then of a certificate that is over.
    """
    may = actor.can(Capability.PKI_REVOKE)
    return [
        {
            "label": label,
            "icon": icon,
            "danger": route == "pki:revoke",
            "url": reverse(route, args=[certificate.pk]),
            "allowed": may,
            "asks": False,
            "rule": "" if may else "capability-missing",
            "message": "" if may else "Your role does not revoke certificates.",
            "way_out": "",
            "who": "" if may else ", ".join(role.lower() for role in who_can(Capability.PKI_REVOKE)),
        }
        for route, label, icon in _sensible(certificate, key_blocked)
    ]


def _sensible(certificate: Certificate, key_blocked: bool) -> Iterator[tuple[str, str, str]]:
    """The steps that would change something: the address, what it is called, its icon."""
    if policies.may_revoke(certificate, RevocationReason.UNSPECIFIED):
        yield "pki:revoke", "Revoke", "shield-x"
    elif policies.may_revoke(certificate, RevocationReason.KEY_COMPROMISE) and not key_blocked:
        yield "pki:revoke", "Block its key", "shield-x"
    if policies.may_hold(certificate):
        held = certificate.state == CertificateState.ON_HOLD
        yield "pki:hold", "Hold by itself" if held else "Put on hold", "circle-pause"
    if policies.may_release(certificate):
        yield "pki:release", "Release", "circle-play"


def tabs(
    wanted: CertificateFilter, counts: Mapping[str, CountUpTo], kept: Mapping[str, str]
) -> list[dict[str, object]]:
    """One tab a state, with the other filters kept; the one that is shown is marked."""
    return [
        {
            "label": label,
            "url": _list_url({**kept, **({"state": str(state)} if state else {})}),
            "current": str(state) == (wanted.state if wanted.state in TABS else ""),
            "count": counts[state].number if state in counts else None,
            "more": state in counts and counts[state].more,
        }
        for state, label in TABS.items()
    ]


def card(actor: Actor, found: Device) -> dict[str, object] | None:
    """The device page's card: its certificates, the one in use first, and the rotation that is open.

    None: cards and tokens have none. Two queries.
    """
    if found.category != Category.OWNED or not actor.can(Capability.DEVICES_READ):
        return None
    rows = [brief(certificate) for certificate in certificates_of(actor, found)]
    live = [certificate for certificate in rows if certificate["state"] in ENDABLE]
    rotation = open_rotation_of(actor, found)
    renews = found.is_active and any(certificate["state"] == "ACTIVE" for certificate in live)
    return {
        "live": live,
        "rotation_url": reverse("pki:rotation", args=[rotation.pk]) if rotation else "",
        "rotation_mark": f"rotation-{rotation.state}" if rotation else "",
        "renew_url": reverse("pki:rotate", args=[found.pk])
        if renews and not rotation and actor.can(Capability.PKI_SIGN)
        else "",
        "past": len(rows) - len(live),
        "latest": rows[0] if rows and not live else None,
        "history_url": _list_url({"q": found.public_id}),
    }


def blocked(found: BlockedRow) -> dict[str, object]:
    """A blocked key for its list."""
    return {
        "fingerprint": found.fingerprint,
        "reason": found.reason,
        "blocked_at": found.blocked_at,
        "certificates": [
            brief(certificate) | {"device": device(certificate.device)} for certificate in found.certificates
        ],
    }


def _list_url(query: Mapping[str, str]) -> str:
    url = reverse("pki:certificates")
    return f"{url}?{urlencode(query)}" if query else url
