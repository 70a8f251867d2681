"""Keys that are made here for devices that cannot make their own, each with its request. No database."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.x509.findings import Findings, RequestRefused
from pki.x509.key_making import PrivateKey, make_private_key
from portal.core.errors import RateLimited

AT_ONCE: Final = 2  # RSA keys in the making in one process: each keeps a processor busy, for seconds at 4096 bits
LONGEST: Final = 64  # RFC 5280 A.1
MOST_NAMES: Final = 20

_PARTS: Final = {
    "C": x509.NameOID.COUNTRY_NAME,
    "O": x509.NameOID.ORGANIZATION_NAME,
    "OU": x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": x509.NameOID.COMMON_NAME,
}
_guard = threading.Lock()
_making: set[str] = set()  # for whom, in this process


@dataclass(frozen=True)
class Claims:
    """What the request is to say about itself."""

    subject: x509.Name
    names: tuple[x509.GeneralName, ...]


@dataclass(frozen=True, repr=False)
class MadeKey:
    """private: PKCS #8 in DER, for its owner only. request: PKCS #10 in DER, signed by it."""

    private: bytes
    request: bytes


def claims_of(subject: Mapping[str, str], names: Sequence[str]) -> Claims:
    """Claims as an API spells them. subject: any of C, O, OU, CN. names: `x` or `DNS:x`.

    Raises RequestRefused for what no request can hold; `check_request` looks at the rest.
    """
    findings = Findings()
    parts = [(part, subject[part]) for part in _PARTS if part in subject]
    for part, text in parts:
        if part == "C" and not (len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()):
            findings.add("subject-country")
        elif not 1 <= len(text) <= LONGEST:
            findings.add("subject-length", oid=_PARTS[part].dotted_string, limit=LONGEST)
    hosts = [name.removeprefix("DNS:") for name in names]
    if len(hosts) > MOST_NAMES:
        findings.add("san-count", limit=MOST_NAMES)
    if not all(host.isascii() for host in hosts):
        findings.add("san-not-ia5")
    if findings:
        raise RequestRefused(findings)
    return Claims(
        x509.Name([x509.NameAttribute(_PARTS[part], text) for part, text in parts]),
        tuple(x509.DNSName(host) for host in hosts),
    )


def make(kind: str, claims: Claims, *, holder: str) -> MadeKey:
    """Make a key of a kind of `keys_policy.KINDS` and its request.

    holder: who it is for; an RSA key is made for each holder one at a time, so that nobody keeps all places. Raises
    RateLimited `key-making-busy` at once when one is in the making for the holder, or too many are.
    """
    key = _rsa(kind, holder) if kind.startswith("rsa-") else make_private_key(kind)
    builder = x509.CertificateSigningRequestBuilder().subject_name(claims.subject)
    if claims.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(claims.names), critical=False)
    request = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return MadeKey(private, request.public_bytes(Encoding.DER))


def _rsa(kind: str, holder: str) -> PrivateKey:
    with _guard:
        if holder in _making or len(_making) >= AT_ONCE:
            raise RateLimited("Too many keys are being made. Try again.", code="key-making-busy", retry_after=5)
        _making.add(holder)
    try:
        return make_private_key(kind)
    finally:
        with _guard:
            _making.discard(holder)
