"""Profiles as data: what a certificate of each kind holds, and the most that a request for one may ask for."""

from dataclasses import dataclass
from typing import Final, Literal

from pki.x509.keys_policy import KINDS

type Word = str
"""A use or purpose in lower case with hyphens: ``digital-signature``, ``client-auth``."""

KEY_USES: Final[tuple[Word, ...]] = (  # in the order of their bits, RFC 5280 4.2.1.3
    "digital-signature", "non-repudiation", "key-encipherment", "data-encipherment", "key-agreement",
    "key-cert-sign", "crl-sign", "encipher-only", "decipher-only",
)  # fmt: skip
PURPOSES: Final[dict[Word, str]] = {  # RFC 5280 4.2.1.12, RFC 6960 4.2.2.2
    "server-auth": "1.3.6.1.5.5.7.3.1",
    "client-auth": "1.3.6.1.5.5.7.3.2",
    "code-signing": "1.3.6.1.5.5.7.3.3",
    "email-protection": "1.3.6.1.5.5.7.3.4",
    "time-stamping": "1.3.6.1.5.5.7.3.8",
    "ocsp-signing": "1.3.6.1.5.5.7.3.9",
    "any-extended-key-usage": "2.5.29.37.0",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of certificate.

    ``keys``           kinds of subject keys (see ``keys_policy.KINDS``)
    ``uses``           key usage; ``rsa_uses`` comes on top when the key is RSA (pkilint refuses it elsewhere)
    ``purposes``       extended key usage; empty: the extension is left out
    ``alternatives``   kinds of alternative names it may carry: ``dns`` under the bank's zone, ``uri`` with https
    ``needs_names``    at least one alternative name must be there (RFC 9525 6.3: servers are known by them)
    ``max_days``       the longest life; ``days`` is what is given when nobody asks for less
    ``ca``             a CA's certificate, ``path_length`` as written in it
    ``points_to``      whether it tells where its issuer, CRL and OCSP responder are
    ``no_check``       carries id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1)
    """

    name: str
    keys: frozenset[str]
    uses: frozenset[Word]
    purposes: tuple[Word, ...]
    days: int
    max_days: int
    rsa_uses: frozenset[Word] = frozenset()
    alternatives: frozenset[Literal["dns", "uri"]] = frozenset()
    needs_names: bool = False
    ca: bool = False
    path_length: int | None = None
    points_to: bool = True
    no_check: bool = False

    def uses_for(self, kind: str) -> frozenset[Word]:
        """The key usage for a subject key of this kind."""
        return self.uses | self.rsa_uses if kind.startswith("rsa-") else self.uses


_ALL_KEYS: Final = frozenset(KINDS)
_SIGN: Final = frozenset({"digital-signature"})
_ENCIPHER: Final = frozenset({"key-encipherment"})
_CA_USES: Final = frozenset({"key-cert-sign", "crl-sign"})

DEVICE: Final = Profile(
    "device", _ALL_KEYS, _SIGN, ("client-auth",), days=365, max_days=397, rsa_uses=_ENCIPHER,
    alternatives=frozenset({"dns", "uri"}),
)  # fmt: skip
# A payment terminal answers connections itself: it serves under a name in the bank's own zone.
TERMINAL: Final = Profile(
    "terminal", _ALL_KEYS, _SIGN, ("client-auth", "server-auth"), days=365, max_days=397, rsa_uses=_ENCIPHER,
    alternatives=frozenset({"dns"}), needs_names=True,
)  # fmt: skip
PARTNER: Final = Profile(
    "partner", _ALL_KEYS, _SIGN, ("client-auth",), days=365, max_days=397, rsa_uses=_ENCIPHER,
    alternatives=frozenset({"uri"}),
)  # fmt: skip
RESPONDER: Final = Profile(
    "responder", _ALL_KEYS, _SIGN, ("ocsp-signing",), days=30, max_days=90, points_to=False, no_check=True
)  # fmt: skip
ROOT: Final = Profile(
    "root", _ALL_KEYS, _CA_USES, (), days=7300, max_days=9132, ca=True, path_length=1, points_to=False
)  # fmt: skip
ISSUING: Final = Profile("issuing", _ALL_KEYS, _CA_USES, (), days=3650, max_days=5479, ca=True, path_length=0)

REQUESTABLE: Final = {profile.name: profile for profile in (DEVICE, TERMINAL, PARTNER)}
PROFILES: Final = {**REQUESTABLE, **{profile.name: profile for profile in (RESPONDER, ROOT, ISSUING)}}
