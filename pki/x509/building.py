"""Making a certificate: prepare it, lint an unsigned draft, then have the CA's key sign those very bytes.

The CA's key signs nothing that was not linted: the body of the draft is what it signs, not one built anew.
A prepared certificate is signed once. The serial in the order must be stored before, so that no crash can use
it twice.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.x509 import der
from pki.x509.findings import Finding
from pki.x509.linting import LintRefused, lint, url_problem
from pki.x509.orders import Issuer, Order, key_identifier
from pki.x509.profiles import PURPOSES
from pki.x509.rules import LINT_RULES
from pki.x509.serials import BITS
from pki.x509.signature_algorithms import identifier_for
from pki.x509.signing import Signer, hash_for, holds, nobody, public_key_of, sign_bytes


@dataclass(slots=True)
class Prepared:
    """A certificate that passed the linter and waits for its signature. It can be signed once."""

    order: Order
    issuer: Issuer | None
    body: bytes
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A signed certificate. ``fingerprint`` is the lower-case hex SHA-256 of its DER."""

    certificate: x509.Certificate
    der: bytes
    fingerprint: str

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def prepare(order: Order, issuer: Issuer | None) -> Prepared:
    """Build what is to be signed and lint it. Without an issuer the certificate is self-signed (a root's).

    Raises LintRefused with every rule it breaks. Nothing of the CA's key is touched.
    """
    _check_addresses(order, issuer)
    if not 0 < order.serial < 1 << BITS:
        raise LintRefused([_finding("lint-serial-random")])
    signing_key = issuer.key if issuer else order.key
    try:
        builder = _builder(order, issuer)
        draft = builder.sign(nobody(signing_key.key), hash_for(signing_key.key))
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        raise LintRefused([_finding("lint-unbuildable")]) from error
    findings = lint(draft.public_bytes(Encoding.DER), order, issuer)
    if findings:
        raise LintRefused(findings)
    return Prepared(order, issuer, draft.tbs_certificate_bytes)


def issue(prepared: Prepared, signer: Signer) -> Issued:
    """Sign a prepared certificate with the CA's key, and look at what came back before it is given out.

    Raises ValueError for a signer that is not the CA's or a certificate that was signed before, and LintRefused
    when the signature does not hold; then nothing was made.
    """
    expected = prepared.issuer.key if prepared.issuer else prepared.order.key
    if public_key_of(signer) != expected.key:
        raise ValueError("the signer's key is not the key of the issuing CA")
    if prepared.is_used:
        raise ValueError("a prepared certificate is signed once")
    prepared.is_used = True
    signature = sign_bytes(signer, prepared.body)
    if not holds(expected.key, signature, prepared.body):
        raise LintRefused([_finding("lint-signature")])
    bits = der.encode(der.BIT_STRING, b"\0" + signature)
    encoded = der.sequence([prepared.body, identifier_for(expected.kind), bits])
    return Issued(x509.load_der_x509_certificate(encoded), encoded, sha256(encoded).hexdigest())


def _finding(rule: str) -> Finding:
    return Finding(rule, *LINT_RULES[rule])


def _check_addresses(order: Order, issuer: Issuer | None) -> None:
    if not order.profile.points_to:
        return
    if issuer is None or any(
        url_problem(url) for url in (issuer.ocsp_url, issuer.issuers_url, issuer.crl_url) if url
    ):
        raise LintRefused([_finding("lint-issuer-urls")])
    if not (issuer.issuers_url and issuer.crl_url and (issuer.ocsp_url or order.profile.ca)):
        raise LintRefused([_finding("lint-issuer-urls")])


def _builder(order: Order, issuer: Issuer | None) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in order.subject.attributes()])
    return x509.CertificateBuilder(
        issuer_name=issuer.name if issuer else subject,
        subject_name=subject,
        public_key=order.key.key,
        serial_number=order.serial,
        not_valid_before=order.not_before.replace(tzinfo=None),
        not_valid_after=order.not_after.replace(tzinfo=None),
        extensions=_extensions(order, issuer),
    )


def _extensions(order: Order, issuer: Issuer | None) -> list[x509.Extension[x509.ExtensionType]]:
    profile, identifier = order.profile, key_identifier(order.key)
    found: list[x509.Extension[x509.ExtensionType]] = [
        _constraints(profile.ca, profile.path_length),
        _key_usage(order.uses),
    ]
    if order.purposes:
        found.append(_purposes(order.purposes))
    found.append(_plain(x509.SubjectKeyIdentifier(identifier)))
    found.append(_authority(issuer.key_id if issuer else identifier))
    if profile.points_to and issuer:
        found += _pointers(issuer.ocsp_url, issuer.issuers_url, issuer.crl_url)
    if order.names:
        found.append(_plain(x509.SubjectAlternativeName([_GENERAL[kind](value) for kind, value in order.names])))
    if profile.no_check:
        found.append(_plain(x509.OCSPNoCheck()))
    return found


_GENERAL = {"dns": x509.DNSName, "uri": x509.UniformResourceIdentifier}


def _plain[E: x509.ExtensionType](value: E) -> x509.Extension[E]:
    return x509.Extension(value.oid, False, value)


# What all certificates of one CA and profile share is made once.


@lru_cache(maxsize=8)
def _constraints(ca: bool, path_length: int | None) -> x509.Extension[x509.BasicConstraints]:
    return x509.Extension(x509.BasicConstraints.oid, True, x509.BasicConstraints(ca, path_length))


@lru_cache(maxsize=64)
def _key_usage(uses: frozenset[str]) -> x509.Extension[x509.KeyUsage]:
    value = x509.KeyUsage(
        digital_signature="digital-signature" in uses,
        content_commitment="non-repudiation" in uses,
        key_encipherment="key-encipherment" in uses,
        data_encipherment="data-encipherment" in uses,
        key_agreement="key-agreement" in uses,
        key_cert_sign="key-cert-sign" in uses,
        crl_sign="crl-sign" in uses,
        encipher_only="encipher-only" in uses,
        decipher_only="decipher-only" in uses,
    )
    return x509.Extension(x509.KeyUsage.oid, True, value)


@lru_cache(maxsize=64)
def _purposes(words: tuple[str, ...]) -> x509.Extension[x509.ExtendedKeyUsage]:
    return _plain(x509.ExtendedKeyUsage([x509.ObjectIdentifier(PURPOSES[word]) for word in words]))


@lru_cache(maxsize=256)
def _authority(identifier: bytes) -> x509.Extension[x509.AuthorityKeyIdentifier]:
    return _plain(x509.AuthorityKeyIdentifier(identifier, None, None))


@lru_cache(maxsize=256)
def _pointers(ocsp: str, issuers: str, crl: str) -> tuple[x509.Extension[x509.ExtensionType], ...]:
    method = AuthorityInformationAccessOID
    descriptions = [
        x509.AccessDescription(oid, x509.UniformResourceIdentifier(url))
        for oid, url in ((method.OCSP, ocsp), (method.CA_ISSUERS, issuers))
        if url
    ]
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl)], None, None, None)
    return (
        x509.Extension(x509.AuthorityInformationAccess.oid, False, x509.AuthorityInformationAccess(descriptions)),
        x509.Extension(x509.CRLDistributionPoints.oid, False, x509.CRLDistributionPoints([point])),
    )
