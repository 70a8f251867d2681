"""The steps that end or release a certificate, as their page shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pki.models import Certificate
from pki.operations.revocation import Ended, consequences, hold_certificate, release_certificate
from pki.policies import may_revoke
from pki.states import RevocationReason


@dataclass(frozen=True)
class Step:
    """A step that needs a reason and nothing else. told: by whether it changed anything."""

    label: str
    icon: str
    meaning: str
    operation: Callable[..., Ended]
    told: tuple[str, str]


HOLD: Final = Step(
    "Put on hold",
    "circle-pause",
    "At once, the list and OCSP say that the certificate is revoked for now. It can be released. "
    "Switching its device off and on does not release it.",
    hold_certificate,
    ("Nothing has changed: the certificate was on hold already.", "The certificate is on hold."),
)
RELEASE: Final = Step(
    "Release",
    "circle-play",
    "The certificate is good again. While its device is off it stays on hold, and comes back with the device.",
    release_certificate,
    ("Nothing has changed.", "The certificate was released."),
)
REVOKE_MEANING: Final = (
    "For good: nothing brings a revoked certificate back. At once, the list and OCSP say so, with the cause."
)
ASKS: Final = "Your bank wants two people to revoke for good."


def told(ended: Ended, step: Step) -> str:
    """What a step really did."""
    if step is RELEASE and ended.changed and ended.certificate.state == "ON_HOLD":
        return "The certificate stays on hold while its device is off, and comes back with it."
    return step.told[ended.changed]


def told_revoked(ended: Ended) -> str:
    """What a revocation really did, counted."""
    if not ended.changed:
        return "Nothing has changed: the certificate was revoked already."
    if "sessions" not in ended.counts:
        return "The certificate was revoked."
    counts = ended.counts
    return (
        f"The key is blocked everywhere. Certificates revoked: {counts['certificates']}, requests rejected: "
        f"{counts['requests']}, approval keys retired: {counts['approval_keys']}, "
        f"sessions ended: {counts['sessions']}."
    )


def likely_cause(certificate: Certificate) -> str:
    """What the form begins with: a certificate that is over can only have a compromised key."""
    over = not may_revoke(certificate, RevocationReason.UNSPECIFIED)
    return RevocationReason.KEY_COMPROMISE.value if over else ""


def previews(certificate: Certificate) -> dict[str, list[dict[str, object]]]:
    """What revoking does now, and what it does where the key was compromised."""
    compromise = consequences(certificate, RevocationReason.KEY_COMPROMISE)
    return {
        "preview": _lines(consequences(certificate, RevocationReason.UNSPECIFIED)),
        "compromise": _lines(compromise),
    }


def _lines(counted: list[tuple[int, str]]) -> list[dict[str, object]]:
    return [{"count": count, "text": text} for count, text in counted]
