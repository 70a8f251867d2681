"""What the gate and the registry say no to, in the one shape that every door can show: all findings at once."""

from collections.abc import Iterable
from typing import Final

from pki.x509.findings import Finding, RequestRefused
from pki.x509.rules import Rule
from portal.core.errors import BrokenRule, RulesBroken

# What only the registry knows. A source for each, as for the gate's own.
REGISTRY_RULES: Final = {
    "cn-not-device": Rule("The common name is not one of the device's ids.", "Our own policy: one name, one device"),
    "key-blocked": Rule("This key was compromised. It is never certified again.", "CA/B BR 4.9.1.1, 6.1.1.3"),
    "cn-missing": Rule(
        "The request does not say whose it is: it needs a common name.", "Our own policy: one name, one device"
    ),
    "key-too-old": Rule(
        "The key is older than the bank's policy lets it become. Make a new one.", "NIST SP 800-57 part 1, 5.3"
    ),
    "key-on-hold": Rule("A certificate with this key is on hold. Staff release it.", "RFC 5280 5.3.1"),
    "key-revoked": Rule("A certificate with this key was revoked for a reason. Make a new key.", "RFC 5280 5.3.1"),
    "key-signs-approvals": Rule(
        "This key is an approval key. A key serves one purpose: make another one.", "NIST SP 800-57 part 1, 5.2"
    ),
}


def broken(refused: RequestRefused, code: str = "csr-refused") -> RulesBroken:
    """The gate's refusal. code: `csr-refused` for a request, `ask-refused` for what somebody asks for beside one."""
    return RulesBroken(findings=tuple(_told(refused.findings)), code=code)


def by_registry(rule: str) -> RulesBroken:
    """The registry's refusal, by a rule of its own."""
    sentence, source = REGISTRY_RULES[rule]
    return RulesBroken(findings=(BrokenRule(rule, sentence, source),), code=rule)


def _told(findings: Iterable[Finding]) -> Iterable[BrokenRule]:
    return (BrokenRule(finding.rule, finding.sentence, finding.source) for finding in findings)
