"""Requests that pass the gate: what is read from them, in every form they may arrive in."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from pki.x509 import der
from pki.x509.asking import Asked
from pki.x509.findings import RequestRefused
from pki.x509.intake import request_bytes
from pki.x509.keys_policy import KINDS
from pki.x509.profiles import DEVICE, PARTNER, TERMINAL, Profile
from pki.x509.requests import check_request
from pki.x509.tests import makers

SERVER_AUTH = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])


def pem(data: bytes, label: str = "CERTIFICATE REQUEST") -> bytes:
    body = base64.encodebytes(data).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_key_passes(kind: str) -> None:
    key = makers.private(kind)
    checked = check_request(makers.library_request(key))
    assert checked.key == makers.checked(kind)
    assert checked.key.kind == kind
    assert checked.key.key == key.public_key()
    assert checked.common_name == makers.NAME


def test_all_parts_are_read() -> None:
    alternatives = x509.SubjectAlternativeName(
        [x509.DNSName("DEV_001.internal"), x509.UniformResourceIdentifier("https://a.example/x")]
    )
    usage = makers.extension("2.5.29.15", b"\x03\x02\x07\x80", critical=True)
    purposes = makers.extension("2.5.29.37", bytes.fromhex("300a06082b06010505070302"))
    password = makers.attribute("1.2.840.113549.1.9.7", der.encode(der.UTF8, b"bound"))
    names = makers.extension("2.5.29.17", alternatives.public_bytes())
    data = makers.raw_request(attributes=[password, makers.asking(usage, purposes, names)])
    checked = check_request(data)
    assert checked.der == data
    assert [tuple(part) for part in checked.subject] == [("C", "NG"), ("O", "Bank"), ("CN", makers.NAME)]
    assert checked.names == (("dns", "DEV_001.internal"), ("uri", "https://a.example/x"))
    assert checked.asked == Asked(uses=("digital-signature",), purposes=("client-auth",))


def test_what_common_tools_add_is_let_through() -> None:
    key = makers.private("p256")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    checked = check_request(makers.library_request(key, identifier, x509.BasicConstraints(False, None)))
    assert checked.asked == Asked()


def test_a_request_without_a_name_is_the_registrys_matter() -> None:
    checked = check_request(makers.raw_request(subject=b"\x30\x00"))
    assert (checked.common_name, checked.subject) == (None, ())


@pytest.mark.parametrize("label", ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"])
def test_pem_is_read(label: str) -> None:
    data = makers.raw_request()
    assert check_request(pem(data, label)).der == data
    assert check_request(b"\r\n" + pem(data, label).replace(b"\n", b"\r\n")).der == data


def test_the_forms_of_a_text_body_are_read() -> None:
    data = makers.raw_request()
    for text in (pem(data), base64.b64encode(pem(data)), base64.b64encode(data), base64.encodebytes(data)):
        assert check_request(request_bytes(text.decode())).der == data


@pytest.mark.parametrize("text", ["", "é", "!!!!", "QUJD", "A" * 70_000, "A" * 9])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(RequestRefused):
        check_request(request_bytes(text))


def test_one_key_has_one_fingerprint_however_its_point_is_written() -> None:
    key = makers.private("p256")
    compressed = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    spelled = check_request(makers.raw_request(key, spki=makers.ec_spki(compressed))).key
    plain = check_request(makers.raw_request(key)).key
    assert spelled == plain
    assert spelled.spki == plain.spki
    assert load_der_public_key(spelled.spki) == key.public_key()


@pytest.mark.parametrize(("profile", "rules"), [(DEVICE, {"asks-server-auth"}), (PARTNER, {"asks-server-auth"})])
def test_a_server_is_no_device(profile: Profile, rules: set[str]) -> None:
    data = makers.library_request(makers.private("p256"), SERVER_AUTH)
    with pytest.raises(RequestRefused) as refused:
        check_request(data, profile=profile)
    assert set(refused.value.rules) == rules
    assert check_request(data, profile=TERMINAL).asked.purposes == ("server-auth",)


def test_key_encipherment_is_for_rsa() -> None:
    usage = makers.asking(makers.extension("2.5.29.15", b"\x03\x02\x05\xa0"))
    asked = check_request(makers.raw_request(makers.private("rsa-2048"), attributes=[usage])).asked
    assert asked.uses == ("digital-signature", "key-encipherment")
    with pytest.raises(RequestRefused) as refused:
        check_request(makers.raw_request(makers.private("p256"), attributes=[usage]))
    assert refused.value.rules == ("asks-key-encipherment",)


def test_a_profile_may_take_fewer_kinds_of_keys() -> None:
    narrow = Profile("narrow", frozenset({"p256"}), frozenset({"digital-signature"}), ("client-auth",), 30, 30)
    with pytest.raises(RequestRefused) as refused:
        check_request(makers.raw_request(makers.private("p384")), profile=narrow)
    assert refused.value.rules == ("key-not-in-profile",)
    none = Profile("none", frozenset({"p256"}), frozenset(), ("server-auth",), 30, 30)
    usage = makers.extension("2.5.29.15", b"\x03\x02\x07\x80")
    purposes = makers.extension("2.5.29.37", bytes.fromhex("300a06082b06010505070302"))
    with pytest.raises(RequestRefused) as refused:
        check_request(makers.raw_request(attributes=[makers.asking(usage, purposes)]), profile=none)
    assert refused.value.rules == ("asks-digital-signature", "asks-client-auth")


def test_an_exponent_as_wide_as_the_standard_allows_passes() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = makers.private("rsa-2048").private_numbers()  # type: ignore[union-attr]
    assert isinstance(numbers, rsa.RSAPrivateNumbers)
    p, q, e = numbers.p, numbers.q, (1 << 255) | 1
    while True:
        e += 2
        try:
            d = pow(e, -1, (p - 1) * (q - 1))
            break
        except ValueError:
            continue
    wide = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
    ).private_key()
    assert check_request(makers.raw_request(wide)).key.kind == "rsa-2048"
