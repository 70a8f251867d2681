"""What a request asks for, held against what its profile gives: it can ask for less, never for more."""

from collections.abc import Iterable
from dataclasses import dataclass

from pki.x509.findings import Finding, Findings, RequestRefused
from pki.x509.profiles import KEY_USES, PURPOSES, Profile, Word


@dataclass(frozen=True, slots=True)
class Asked:
    """The uses, purposes and rank a request asks for. None: nothing is said about it."""

    uses: tuple[Word, ...] | None = None
    purposes: tuple[Word, ...] | None = None
    ca: bool = False
    path_length: int | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """What the certificate will hold: what was asked for, or all the profile gives where nothing was."""

    uses: frozenset[Word]
    purposes: tuple[Word, ...]
    days: int


def findings_of(asked: Asked, profile: Profile, kind: str | None) -> list[Finding]:
    """Every rule that the wish breaks. ``kind`` is the key's; without one, what any key may have is allowed."""
    findings = Findings()
    allowed = profile.uses_for(kind) if kind else profile.uses | profile.rsa_uses
    if asked.uses == () or asked.purposes == ():
        findings.add("asks-no-use")
    for word in asked.uses or ():
        if word not in allowed:
            _beyond(word, word in KEY_USES, profile, findings)
    for word in asked.purposes or ():
        if word not in profile.purposes:
            _beyond(word, word in PURPOSES, profile, findings)
    if asked.ca:
        findings.add("asks-ca")
    elif asked.path_length is not None:
        findings.add("asks-path-length")
    if asked.days is not None and not 1 <= asked.days <= profile.max_days:
        findings.add("asks-too-long", days=asked.days, limit=profile.max_days, profile=profile.name)
    return findings


def _beyond(word: str, is_known: bool, profile: Profile, findings: Findings) -> None:
    if is_known:
        findings.add(f"asks-{word}", profile=profile.name)
    else:
        findings.add("asks-unknown", oid=word if _is_dotted(word) else "a word that is on no list")


def _is_dotted(word: str) -> bool:
    return len(word) <= 64 and word.isascii() and word.replace(".", "").isdigit()


def check_asked(asked: Asked, profile: Profile, kind: str) -> Granted:
    """What a wish comes to under a profile, for a key of this kind. Raises RequestRefused with every finding.

    ``digital-signature`` stays whatever is asked for: without it no TLS handshake is possible.
    """
    findings = findings_of(asked, profile, kind)
    if findings:
        raise RequestRefused(findings)
    uses = profile.uses_for(kind)
    return Granted(
        uses=uses if asked.uses is None else profile.uses | (uses & frozenset(asked.uses)),
        purposes=tuple(p for p in profile.purposes if asked.purposes is None or p in asked.purposes),
        days=asked.days or min(profile.days, profile.max_days),
    )


def words(names: Iterable[str]) -> tuple[Word, ...]:
    """Names as an API spells them (``KEY_ENCIPHERMENT``) as words of ours (``key-encipherment``)."""
    return tuple(name.strip().lower().replace("_", "-") for name in names)
