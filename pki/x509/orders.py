"""What a certificate is to say: the facts of the registry, and who issues it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import new, sha1

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.x509 import der
from pki.x509.alternative_names import AlternativeName
from pki.x509.asking import Granted
from pki.x509.keys_policy import CheckedKey, describe_key
from pki.x509.profiles import Profile

BACKDATED = timedelta(minutes=5)  # for clocks of devices that run late


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate is for: country, organization and unit by the bank's policy, the common name by registry."""

    country: str
    organization: str
    common_name: str
    unit: str | None = None

    def attributes(self) -> tuple[tuple[x509.ObjectIdentifier, str], ...]:
        """Types and values in the order they are written."""
        oid = x509.NameOID
        unit = ((oid.ORGANIZATIONAL_UNIT_NAME, self.unit),) if self.unit else ()
        return (
            (oid.COUNTRY_NAME, self.country),
            (oid.ORGANIZATION_NAME, self.organization),
            *unit,
            (oid.COMMON_NAME, self.common_name),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """One certificate to make. Everything in it comes from the registry and the profile, not from the request.

    ``granted`` narrows the profile's uses to what was asked for; ``zone`` is the DNS zone of the bank.
    """

    profile: Profile
    key: CheckedKey
    subject: Subject
    serial: int
    not_before: datetime
    not_after: datetime
    names: tuple[AlternativeName, ...] = ()
    granted: Granted | None = None
    zone: str = ""

    @property
    def uses(self) -> frozenset[str]:
        return self.granted.uses if self.granted else self.profile.uses_for(self.key.kind)

    @property
    def purposes(self) -> tuple[str, ...]:
        return self.granted.purposes if self.granted else self.profile.purposes


@dataclass(frozen=True, slots=True, eq=False)
class Issuer:
    """A CA as those it issues for see it. Make it once and keep it: everything is read when it is made."""

    certificate: x509.Certificate = field(repr=False)
    ocsp_url: str = ""
    issuers_url: str = ""
    crl_url: str = ""
    name: x509.Name = field(init=False)
    name_der: bytes = field(init=False, repr=False)
    key: CheckedKey = field(init=False)
    key_id: bytes = field(init=False)
    not_after: datetime = field(init=False)

    def __post_init__(self) -> None:
        key = describe_key(self.certificate.public_key())
        if key is None:
            raise ValueError("the CA's key is of no kind we issue with")
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        name = self.certificate.subject
        for attribute, value in {
            "name": name, "name_der": name.public_bytes(), "key": key, "key_id": identifier,
            "not_after": self.certificate.not_valid_after_utc,
        }.items():  # fmt: skip
            object.__setattr__(self, attribute, value)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


@lru_cache(maxsize=64)
def key_identifier(key: CheckedKey) -> bytes:
    """The SHA-1 of the key's bits: RFC 5280 4.2.1.2 (1), and the key hash of OCSP. A name, not a proof."""
    spki, _ = der.read(key.spki)
    return sha1(spki.parts[1].content[1:], usedforsecurity=False).digest()


def validity(now: datetime, days: int) -> tuple[datetime, datetime]:
    """First and last second of a life of so many days. Both ends count (RFC 5280 4.1.2.5)."""
    start = now.astimezone(UTC).replace(microsecond=0) - BACKDATED
    return start, start + timedelta(days=days) - timedelta(seconds=1)


@lru_cache(maxsize=64)
def name_and_key_hashes(issuer: Issuer, algorithm: str) -> tuple[bytes, bytes]:
    """Hashes of the CA's name and of its key's bits, as OCSP names a CA (RFC 6960 4.1.1)."""
    spki, _ = der.read(issuer.key.spki)
    pair = issuer.name_der, spki.parts[1].content[1:]
    name, key = (new(algorithm, data, usedforsecurity=False).digest() for data in pair)
    return name, key
