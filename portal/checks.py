"""Start-up checks: every dangerous or broken setting has an id and a hint."""

import sys
from collections.abc import Iterable
from ipaddress import ip_address

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.module_loading import import_string

from portal.env import Problem

SECRETS = {
    "PORTAL_SECRET_KEY": "portal.E011",
    "PORTAL_SEALING_KEYS": "portal.E012",
    "PORTAL_INDEX_KEYS": "portal.E013",
    "PORTAL_AUDIT_KEY": "portal.E014",
    "PORTAL_AUDIT_SIGNING_KEY": "portal.E015",
    "PORTAL_FINGERPRINT_KEY": "portal.E024",
    "PORTAL_PIN_PEPPERS": "portal.E025",
    "PORTAL_DIGEST_KEY": "portal.E044",
    "PORTAL_PAIRWISE_KEY": "portal.E045",
}
# Named, not imported: the supervisor comes through here, and knows no application.
GATEWAY_PROBLEMS = "portal.outbox.gateways.problems"
GATEWAYS = {"sms": "portal.E031", "fcm": "portal.E032", "apns": "portal.E033", "http": "portal.E034"}
PKI_PROBLEMS = "pki.setting_problems.problems"
PKI = {"passphrase": "portal.E035", "address": "portal.E036", "keys": "portal.E037"}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# This machine, and where clouds tell machines their secrets.
NEVER_INSIDE = ("127.0.0.1", "::1", "169.254.169.254", "fd00:ec2::254")


def problems() -> list[Problem]:
    """Everything that keeps the portal from starting, in the order a person would mend it."""
    found: list[Problem] = list(settings.SETTING_PROBLEMS)
    found += _demo_problems() if settings.DEMO else _production_problems()
    found += _hook_problems()
    found += [Problem(PKI[about], sentence, hint) for about, sentence, hint in import_string(PKI_PROBLEMS)()]
    return found


def _hook_problems() -> Iterable[Problem]:
    try:
        known = not settings.TXID_CHECK or callable(import_string(settings.TXID_CHECK))
    except ImportError:
        known = False
    if not known:
        yield Problem(
            "portal.E027",
            "PORTAL_TXID_CHECK names no function.",
            "Example: PORTAL_TXID_CHECK=bank.approvals.check",
        )


def _production_problems() -> Iterable[Problem]:
    for name, id in SECRETS.items():
        if not settings.SECRETS[name]:
            yield Problem(id, f"{name} is not set.", "Make all secrets with: manage.py new_secrets")
    if settings.SECRETS["PORTAL_SECRET_KEY"] and len(settings.SECRETS["PORTAL_SECRET_KEY"]) < 32:
        yield Problem(
            "portal.E016",
            "PORTAL_SECRET_KEY is short.",
            "Use at least 32 characters; see manage.py new_secrets",
        )
    if not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS:
        yield Problem(
            "portal.E017",
            "PORTAL_ALLOWED_HOSTS names no host.",
            "Example: PORTAL_ALLOWED_HOSTS=portal.bank.example",
        )
    if not settings.BASE_URL.startswith("https://"):
        yield Problem(
            "portal.E018",
            "PORTAL_BASE_URL is not an https address.",
            "Example: PORTAL_BASE_URL=https://portal.bank.example",
        )
    for name, sentence in import_string(GATEWAY_PROBLEMS)():
        yield Problem(GATEWAYS[name], sentence, "See docs/configuration.md, “Messages”")
    if any(network.prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        yield Problem(
            "portal.E020",
            "PORTAL_TRUSTED_PROXIES trusts everybody.",
            "Name your proxies' own networks: whoever is trusted says where a call comes from",
        )
    if settings.CLIENT_CERT_HEADER and not settings.TRUSTED_PROXIES:
        yield Problem(
            "portal.E041",
            "PORTAL_CLIENT_CERT_HEADER is set, and no proxy is trusted to send it.",
            "Name the proxies that check client certificates in PORTAL_TRUSTED_PROXIES",
        )
    if settings.ACCEPTED_WEAK_PINS:
        yield Problem(
            "portal.E026",
            "PORTAL_ACCEPTED_WEAK_PINS lets weak PINs in.",
            "Unset it: it is for the demo's samples",
        )
    if settings.DEMO_PROVIDER:
        yield Problem(
            "portal.E042",
            "PORTAL_DEMO_PROVIDER lets anybody in as any customer.",
            "Unset it: it is for the demo",
        )
    if any(ip_address(text) in network for text in NEVER_INSIDE for network in settings.INSIDE_NETWORKS):
        yield Problem(
            "portal.E043",
            "PORTAL_INSIDE_NETWORKS lets typed-in addresses be on this machine, or where clouds keep secrets.",
            "Name the bank's own networks only: PORTAL_INSIDE_NETWORKS=10.20.0.0/16",
        )
    # One key was both before there were index rings: a portal of that time keeps it as both.
    both = settings.DIGEST_KEY in settings.INDEX_KEYS.values()
    keys = [
        b"" if both else settings.DIGEST_KEY,
        settings.PAIRWISE_KEY,
        settings.AUDIT_KEY,
        settings.AUDIT_SIGNING_KEY,
        settings.FINGERPRINT_KEY,
        settings.SMS_SIGNING_KEY,
        *settings.SEALING_KEYS.values(),
        *settings.INDEX_KEYS.values(),
        *settings.PIN_PEPPERS.values(),
    ]
    given = [key for key in keys if key]
    if len(set(given)) != len(given):
        yield Problem(
            "portal.E019",
            "Two secrets are the same key.",
            "Each key has one use; make them with: manage.py new_secrets",
        )


def _demo_problems() -> Iterable[Problem]:
    if settings.DATABASE_URL:
        yield Problem(
            "portal.E021",
            "The demo does not run on an external database.",
            "Set PORTAL_MODE=production, or unset PORTAL_DATABASE_URL",
        )
    if settings.BIND not in LOOPBACK:
        yield Problem(
            "portal.E022",
            "The demo only listens on loopback.",
            "Unset PORTAL_BIND, or set PORTAL_MODE=production",
        )
    if settings.TRUSTED_PROXIES:
        yield Problem(
            "portal.E023",
            "The demo stands behind no proxy.",
            "Unset PORTAL_TRUSTED_PROXIES, or set PORTAL_MODE=production",
        )


@register(Tags.security)
def check_settings(**kwargs: object) -> list[CheckMessage]:
    return [Error(problem.message, hint=problem.hint, id=problem.id) for problem in problems()]


def require_safe_settings() -> None:
    """Leave the process with code 1 and one line for each problem. Called by the web server and the worker."""
    found = problems()
    for problem in found:
        sys.stderr.write(f"{problem.id}: {problem.message} {problem.hint}\n")
    if found:
        raise SystemExit(1)
