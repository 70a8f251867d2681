"""Keys, requests and authorities that the tests share. Keys are made once a run; the short RSA ones are fixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pki.x509 import der
from pki.x509.alternative_names import AlternativeName
from pki.x509.building import Issued, issue, prepare
from pki.x509.keys_policy import CheckedKey, describe_key
from pki.x509.orders import Issuer, Order, Subject, validity
from pki.x509.profiles import DEVICE, ISSUING, RESPONDER, ROOT, Profile
from pki.x509.requests import CheckedRequest, check_request
from pki.x509.serials import new_serial
from pki.x509.signature_algorithms import identifier_for

type Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

NOW = datetime.now(UTC).replace(microsecond=0)
ZONE = "devices.bank.example"
NAME = "DEV_001_20241201_001"


def private(kind: str, number: int = 0) -> Private:
    """One key of a kind; other numbers, other keys."""
    return _private(kind, number)


@cache
def _private(kind: str, number: int) -> Private:
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


def modulus(kind: str) -> int:
    key = private(kind)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key().public_numbers().n


def checked(kind: str, number: int = 0) -> CheckedKey:
    key = describe_key(private(kind, number).public_key())
    assert key is not None
    return key


@dataclass(frozen=True)
class PlainSigner:
    """A key in memory, as a Signer."""

    key: CertificateIssuerPrivateKeyTypes


# --- requests -------------------------------------------------------------------------------------


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = [b"\x01\x01\xff"] if critical else []
    return der.sequence([der.encode(der.OID, der.encode_oid(oid)), *flag, der.encode(der.OCTET_STRING, value)])


def attribute(oid: str, *values: bytes) -> bytes:
    return der.sequence([der.encode(der.OID, der.encode_oid(oid)), der.encode(der.SET, b"".join(values))])


def asking(*extensions: bytes) -> bytes:
    return attribute("1.2.840.113549.1.9.14", der.sequence(extensions))


def rdn(oid: str, text: str | bytes, tag: int = der.UTF8) -> bytes:
    value = der.encode(tag, text.encode() if isinstance(text, str) else text)
    return der.encode(der.SET, der.sequence([der.encode(der.OID, der.encode_oid(oid)), value]))


SUBJECT = der.sequence([rdn("2.5.4.6", "NG", der.PRINTABLE), rdn("2.5.4.10", "Bank"), rdn("2.5.4.3", NAME)])


def sign(key: Private, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), SHA256())
    return key.sign(data) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(data, ec.ECDSA(SHA256()))


def algorithm_of(key: Private) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return identifier_for("p256")
    return identifier_for("ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "rsa")


def raw_request(
    key: Private | None = None,
    *,
    spki: bytes | None = None,
    subject: bytes = SUBJECT,
    attributes: Sequence[bytes] = (),
    version: bytes = b"\x02\x01\x00",
    algorithm: bytes | None = None,
    signature: bytes | None = None,
) -> bytes:
    """A request in DER, put together from parts of which any may be wrong, and signed for real."""
    key = key or private("p256")
    spki = spki if spki is not None else spki_of(key)
    body = der.sequence([version, subject, spki, der.encode(0xA0, b"".join(attributes))])
    signed = signature if signature is not None else sign(key, body)
    return der.sequence([body, algorithm or algorithm_of(key), der.encode(der.BIT_STRING, b"\0" + signed)])


def spki_of(key: Private) -> bytes:
    checked_key = describe_key(key.public_key())
    if checked_key:
        return checked_key.spki
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.public_key().public_numbers()
    return rsa_spki(numbers.n, numbers.e)


def rsa_spki(n: int, e: int = 65537) -> bytes:
    rsa_algorithm = der.sequence([der.encode(der.OID, der.encode_oid("1.2.840.113549.1.1.1")), b"\x05\x00"])
    body = der.sequence([der.encode_integer(n), der.encode_integer(e)])
    return der.sequence([rsa_algorithm, der.encode(der.BIT_STRING, b"\0" + body)])


def ec_spki(point: bytes, curve: str = "1.2.840.10045.3.1.7") -> bytes:
    oids = [der.encode(der.OID, der.encode_oid(oid)) for oid in ("1.2.840.10045.2.1", curve)]
    return der.sequence([der.sequence(oids), der.encode(der.BIT_STRING, b"\0" + point)])


def ed25519_spki(key: bytes) -> bytes:
    algorithm = der.sequence([der.encode(der.OID, der.encode_oid("1.3.101.112"))])
    return der.sequence([algorithm, der.encode(der.BIT_STRING, b"\0" + key)])


def request(kind: str = "p256", number: int = 0) -> CheckedRequest:
    return check_request(raw_request(private(kind, number)))


# --- authorities ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A root, an issuing CA below it, and its responder; ``kind`` is that of their keys."""

    kind: str
    root: Issued
    issuing: Issued
    issuer: Issuer
    signer: PlainSigner
    responder: Issued
    responder_signer: PlainSigner


def authority(kind: str = "p256") -> Authority:
    return _authority(kind)


@cache
def _authority(kind: str) -> Authority:
    root_key, issuing_key, responder_key = (private(kind, number) for number in (100, 101, 102))
    root = _ca(ROOT, root_key, "Bank Root", None, PlainSigner(root_key), 7300)
    parent = Issuer(root.certificate, "", "http://pki.bank.example/root.cer", "http://pki.bank.example/root.crl")
    issuing = _ca(ISSUING, issuing_key, "Bank Issuing", parent, PlainSigner(root_key), 3650)
    issuer = Issuer(
        issuing.certificate,
        "http://pki.bank.example/ocsp",
        "http://pki.bank.example/ca.cer",
        "http://pki.bank.example/ca.crl",
    )
    responder = _ca(RESPONDER, responder_key, "Bank OCSP", issuer, PlainSigner(issuing_key), 30)
    return Authority(kind, root, issuing, issuer, PlainSigner(issuing_key), responder, PlainSigner(responder_key))


def _ca(profile: Profile, key: Private, name: str, parent: Issuer | None, signer: PlainSigner, days: int) -> Issued:
    checked_key = describe_key(key.public_key())
    assert checked_key is not None
    order = Order(profile, checked_key, Subject("NG", "Bank", name), new_serial(), *validity(NOW, days))
    return issue(prepare(order, parent), signer)


def order(
    profile: Profile = DEVICE,
    key: CheckedKey | None = None,
    *,
    subject: Subject | None = None,
    names: tuple[AlternativeName, ...] = (),
    days: int = 365,
    serial: int | None = None,
) -> Order:
    return Order(
        profile,
        key or checked("p256"),
        subject or Subject("NG", "Bank", NAME),
        serial or new_serial(),
        *validity(NOW, days),
        names=names,
        zone=ZONE,
    )


def leaf(made: Authority, profile: Profile = DEVICE, key: CheckedKey | None = None, **facts: object) -> Issued:
    return issue(prepare(order(profile, key, **facts), made.issuer), made.signer)  # type: ignore[arg-type]


def library_request(key: Private, *extensions: x509.ExtensionType) -> bytes:
    """A request as the library makes one, in DER."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for value in extensions:
        builder = builder.add_extension(value, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


LATER = NOW + timedelta(days=1)
