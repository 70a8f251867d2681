"""Authorities and the certificate policy as the portal's pages show them: plain values."""

from typing import Any

from cryptography import x509
from django.urls import reverse

from pki.authority import address
from pki.forms.authorities import PURPOSE_LABELS
from pki.models import CertificateAuthority, CertificatePolicy, RollOver
from pki.policy_values import LABELS, values_of
from pki.queries import authorities as queries
from pki.queries.authorities import Branch, Counts
from pki.states import CaRole, CaState, CertificateState, RollOverState
from pki.x509.describe import KEY_LABELS, describe_certificate
from pki.x509.profiles import REQUESTABLE
from portal.accounts.roles import Capability, who_can
from portal.core import clock
from portal.core.actor import Actor

SIGNS = {"key-cert-sign": "certificates", "crl-sign": "CRLs"}
NAMES = {"dns": "a name under the DNS zone", "uri": "an https address"}
USES = {"digital-signature": "Digital signature", "key-encipherment": "Key encipherment"}


def branch(found: Branch) -> dict[str, object]:
    """A root or an authority with what is under it."""
    return row(found.authority, found.counts) | {"children": [branch(child) for child in found.children]}


def row(authority: CertificateAuthority, counts: Counts) -> dict[str, object]:
    """An authority for the list."""
    return {
        "url": reverse("pki:authority", args=[authority.pk]),
        "public_id": authority.public_id,
        "name": authority.name,
        "is_root": authority.role == CaRole.ROOT,
        "role": CaRole(authority.role).label,
        "mark": f"ca-{authority.state}",
        "keystore": authority.get_keystore_display(),
        "not_after": authority.not_after,
        "crl_number": authority.crl_number,
        "live": queries.count_live(counts),
        "issued": queries.count_issued(counts),
        "paused_at": authority.paused_at,
        "warning": _warning(authority),
    }


def facts(authority: CertificateAuthority, counts: Counts) -> dict[str, object]:
    """An authority for its own page, with what stands in its certificate."""
    inside = describe_certificate(x509.load_der_x509_certificate(bytes(authority.der)))
    return row(authority, counts) | {
        "uuid": authority.pk,
        "inside": inside,
        "signs": [SIGNS.get(word, word) for word in inside.uses],
        "key_name": authority.key_name,
        "rotation_rate": authority.rotation_rate,
        "addresses": [(label, address(authority, kind)) for label, kind in _kinds(authority)],
        "created_at": authority.created_at,
        "parent": row(authority.parent, {}) if authority.parent else None,
        "chain_url": reverse("pki:authority-chain", args=[authority.pk]),
        "cer_url": reverse("pki-public:ca", args=[authority.address_key]),
    }


def tiles(counts: Counts) -> list[dict[str, object]]:
    """Its certificates by state."""
    shown = (
        ("Good", queries.count_live(counts), "Valid, overlaps included"),
        ("On hold", counts.get(CertificateState.ON_HOLD, 0), "Until released or revoked"),
        ("Revoked", counts.get(CertificateState.REVOKED, 0), "On its CRL until they run out"),
        ("Expired", counts.get(CertificateState.EXPIRED, 0), "Ran out by themselves"),
    )
    return [{"label": label, "value": value, "note": note, "url": ""} for label, value, note in shown]


def roll_over(found: RollOver | None) -> dict[str, object] | None:
    """How far the order to replace it is."""
    if found is None:
        return None
    return {
        "mark": f"roll-over-{found.state}",
        "is_open": found.state == RollOverState.WAITING,
        "name": found.name,
        "key": KEY_LABELS.get(found.key, found.key),
        "ordered_at": found.ordered_at,
        "closed_at": found.closed_at,
        "reason": found.last_reason,
        "next_try_at": found.next_try_at if found.tries else None,
        "new_url": reverse("pki:authority", args=[found.new.pk]) if found.new else "",
    }


def may_manage(actor: Actor) -> dict[str, object]:
    """Whether this person may ask for a change, and else who may."""
    return {
        "allowed": actor.can(Capability.PKI_MANAGE),
        "who": ", ".join(who_can(Capability.PKI_MANAGE)).lower(),
    }


def policy(found: CertificatePolicy) -> list[tuple[str, object]]:
    """The policy's own words and numbers; truth values as the words of `marks`."""
    values = values_of(found)
    return [(label, _shown(values[name])) for name, label in LABELS.items()]


def profiles(found: CertificatePolicy) -> list[dict[str, Any]]:
    """Every profile as the bank's certificates get it, and what the bank made narrower of it."""
    said = values_of(found)["profiles"]
    return [
        {
            "name": name,
            "days": said[name]["days"],
            "max_days": said[name]["max_days"],
            "keys": [KEY_LABELS[kind] for kind in KEY_LABELS if kind in said[name]["keys"]],
            "purposes": [PURPOSE_LABELS[word] for word in said[name]["purposes"]],
            "uses": [
                USES[word] if word in built_in.uses else f"{USES[word]} (RSA keys)"
                for word in USES
                if word in built_in.uses | built_in.rsa_uses
            ],
            "alternatives": [NAMES[word] for word in sorted(built_in.alternatives)],
            "needs_zone": built_in.needs_names and not found.zone,
            "narrowed": name in found.profiles,
        }
        for name, built_in in REQUESTABLE.items()
    ]


def _shown(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _kinds(authority: CertificateAuthority) -> list[tuple[str, str]]:
    kinds = [("Its certificate", "ca"), ("Its CRL", "crl")]
    return kinds if authority.role == CaRole.ROOT else [*kinds, ("OCSP", "ocsp")]


def _warning(authority: CertificateAuthority) -> str:
    if authority.role == CaRole.ROOT or authority.state != CaState.ACTIVE:
        return ""
    if queries.cut_short_from(authority) > clock.now():
        return ""
    return "It ends so soon that new certificates are cut short. Roll it over."
