"""OCSP: whatever is asked is read or called malformed, and answers say what they should."""

import base64
import time
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.x509 import der
from pki.x509.crl import REASONS
from pki.x509.ocsp import (
    GOOD,
    MALFORMED,
    TRY_LATER,
    UNAUTHORIZED,
    UNKNOWN,
    Responder,
    Status,
    build_answer,
)
from pki.x509.ocsp_requests import MalformedRequest, certificate_id, from_path, parse_request, plain_serial
from pki.x509.tests import hostile, makers
from pki.x509.tests.makers import LATER, NOW, authority

NONCE = "1.3.6.1.5.5.7.48.1.2"
HASHES = (hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())  # noqa: S303
LEAF = 0x1234567890ABCDEF1234


def asked(*, nonce: bytes | None = None, algorithm: HashAlgorithm | None = None) -> bytes:
    built = authority()
    leaf = makers.leaf(built).certificate
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, built.issuing.certificate, algorithm or hashes.SHA1())  # noqa: S303
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def responder(kind: str = "p256") -> Responder:
    built = authority(kind)
    return Responder.of(built.responder.certificate, built.responder_signer, built.issuer)


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", HASHES)
def test_what_the_library_asks_is_read(algorithm: HashAlgorithm) -> None:
    request = parse_request(asked(algorithm=algorithm, nonce=b"n" * 32))
    assert request.certificate.algorithm == algorithm.name
    assert request.certificate.is_of(authority().issuer)
    assert not request.certificate.is_of(authority("p384").issuer)
    assert request.nonce == b"n" * 32


def test_the_plainest_request_is_told_from_all_others() -> None:
    issuer = authority().issuer
    data = asked()
    assert plain_serial(data, issuer) == parse_request(data).certificate.serial
    assert plain_serial(data, authority("p384").issuer) is None
    for other in (asked(nonce=b"n"), asked(algorithm=hashes.SHA256()), *MALFORMED_REQUESTS.values()):
        assert plain_serial(other, issuer) is None
    about = parse_request(data).certificate
    for mutated in hostile.mutations(data, 2000):
        serial = plain_serial(mutated, issuer)
        if serial is not None:
            assert parse_request(mutated).certificate == replace(about, serial=serial)


@pytest.mark.parametrize("serial", [1, 127, 128, 255, 256, (1 << 159) - 1])
def test_plain_serials_of_any_size(serial: int) -> None:
    issuer = authority().issuer
    about = certificate_id(issuer, serial)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        about.name_hash,
        about.key_hash,
        serial,
        hashes.SHA1(),  # noqa: S303
    )
    assert plain_serial(builder.build().public_bytes(Encoding.DER), issuer) == serial


@pytest.mark.parametrize("size", [1, 16, 32, 128])
def test_nonces_of_the_standard_are_read(size: int) -> None:
    assert parse_request(asked(nonce=b"n" * size)).nonce == b"n" * size


def test_no_nonce_is_none() -> None:
    assert parse_request(asked()).nonce is None


def test_a_path_is_read_however_it_was_encoded() -> None:
    data = asked(nonce=bytes(range(200, 232)))
    text = base64.b64encode(data).decode()
    for path in (text, quote(text, safe=""), quote(text), text.rstrip("="), text.replace("+", " ")):
        assert from_path(path) == data


@pytest.mark.parametrize("path", ["%%%", "é", "A", "AAAAA", "!!!!", "A" * 10_000, "../../etc/passwd", "%00"])
def test_a_path_that_is_no_request_is_malformed(path: str) -> None:
    with pytest.raises(MalformedRequest):
        parse_request(from_path(path))


def single(
    *, serial: bytes = b"\x02\x01\x05", algorithm: str = "1.3.14.3.2.26", sizes: tuple[int, int] = (20, 20)
) -> bytes:
    name = der.sequence([der.encode(der.OID, der.encode_oid(algorithm)), b"\x05\x00"])
    hashes = [der.encode(der.OCTET_STRING, bytes(size)) for size in sizes]
    return der.sequence([der.sequence([name, *hashes, serial])])


def request_of(*singles: bytes, extensions: bytes = b"", version: bytes = b"", tail: bytes = b"") -> bytes:
    return der.sequence([der.sequence([version, der.sequence(singles), extensions]), tail])


def with_extension(value: bytes, *, oid: str = NONCE, critical: bool = False) -> bytes:
    extensions = der.sequence([makers.extension(oid, value, critical=critical)])
    return request_of(single(), extensions=der.encode(0xA2, extensions))


def test_the_parts_that_may_be_there_are_passed_over() -> None:
    name = der.encode(0xA1, der.encode(0xA4, der.sequence([])))
    body = der.sequence([der.encode(0xA0, b"\x02\x01\x00"), name, der.sequence([single()])])
    signature = der.encode(0xA0, der.sequence([der.sequence([]), der.encode(der.BIT_STRING, b"\0")]))
    assert parse_request(der.sequence([body, signature])).certificate.serial == 5
    service_locator = with_extension(b"\x30\x00", oid="1.3.6.1.5.5.7.48.1.7")
    assert parse_request(service_locator).nonce is None


MALFORMED_REQUESTS = {
    "nothing": b"",
    "one byte": b"\x30",
    "empty": b"\x30\x00",
    "text": b"GET / HTTP/1.1",
    "large": der.encode(der.OCTET_STRING, bytes(3000)),
    "bytes behind": request_of(single()) + b"\0",
    "indefinite": b"\x30\x80" + request_of(single())[2:] + b"\0\0",
    "no certificate": request_of(),
    "two certificates": request_of(single(), single(serial=b"\x02\x01\x06")),
    "version 2": request_of(single(), version=der.encode(0xA0, b"\x02\x01\x01")),
    "an unknown hash": request_of(single(algorithm="1.2.840.113549.2.5", sizes=(16, 16))),
    "short hashes": request_of(single(sizes=(19, 19))),
    "unequal hashes": request_of(single(sizes=(20, 32))),
    "serial zero": request_of(single(serial=b"\x02\x01\x00")),
    "serial below zero": request_of(single(serial=b"\x02\x01\xff")),
    "serial of 21 octets": request_of(single(serial=der.encode(der.INTEGER, b"\x01" * 21))),
    "serial padded": request_of(single(serial=b"\x02\x02\x00\x05")),
    "serial of a kilobyte": request_of(single(serial=der.encode(der.INTEGER, b"\x01" * 1024))),
    "nonce empty": with_extension(b"\x04\x00"),
    "nonce of 129": with_extension(der.encode(der.OCTET_STRING, bytes(129))),
    "nonce bare": with_extension(b"abc"),
    "nonce twice": request_of(
        single(), extensions=der.encode(0xA2, der.sequence([makers.extension(NONCE, b"\x04\x01a")] * 2))
    ),
    "critical and unknown": with_extension(b"\x05\x00", oid="1.2.3.4", critical=True),
    "extensions in nothing": request_of(single(), extensions=b"\xa2\x00"),
    "something behind": request_of(single(), tail=b"\x05\x00"),
    "a request for a certificate": makers.raw_request(),
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in MALFORMED_REQUESTS.items()])
def test_what_is_no_request_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_request(data)


def test_no_mutation_surprises_the_reader() -> None:
    slowest, read = 0.0, 0
    for data in hostile.mutations(asked(nonce=b"n" * 32), 5000):
        start = time.thread_time()
        try:
            parse_request(data)
            read += 1
        except MalformedRequest:
            pass
        slowest = max(slowest, time.thread_time() - start)
    assert slowest < 0.5  # of this thread: what is sent does not decide how long it takes
    assert 0 < read < 5000


# --- answering ------------------------------------------------------------------------------------


def answer(status: Status, *, nonce: bytes | None = None, kind: str = "p256") -> ocsp.OCSPResponse:
    data = build_answer(
        certificate_id(authority(kind).issuer, LEAF),
        status,
        this_update=NOW,
        next_update=LATER,
        responder=responder(kind),
        nonce=nonce,
    )
    return ocsp.load_der_ocsp_response(data)


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa-2048"])
def test_an_answer_is_signed_by_the_responder_and_carries_its_certificate(kind: str) -> None:
    made = answer(GOOD, kind=kind)
    built = authority(kind)
    assert made.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    assert made.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert made.certificates == [built.responder.certificate]
    assert made.serial_number == LEAF
    assert (made.this_update_utc, made.next_update_utc) == (NOW, LATER)
    assert made.responder_name is None
    identifier = x509.SubjectKeyIdentifier.from_public_key(built.responder.certificate.public_key())
    assert made.responder_key_hash == identifier.digest
    if kind == "p256":
        public = built.responder.certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(made.signature, made.tbs_response_bytes, ec.ECDSA(SHA256()))


@pytest.mark.parametrize("reason", REASONS)
def test_a_revoked_certificate_is_said_to_be_with_time_and_reason(reason: str) -> None:
    moment = NOW - timedelta(days=3)
    made = answer(Status("revoked", moment, reason))
    assert made.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert made.revocation_time_utc == moment
    said = made.revocation_reason
    assert (said is None) == (reason == "unspecified")


def test_unknown_is_unknown() -> None:
    assert answer(UNKNOWN).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_the_nonce_comes_back_and_only_when_there_was_one() -> None:
    made = answer(GOOD, nonce=b"\0" * 32)
    assert made.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"\0" * 32
    assert len(answer(GOOD).extensions) == 0


def test_a_status_is_whole() -> None:
    with pytest.raises(ValueError, match="revoked"):
        Status("revoked")
    with pytest.raises(ValueError, match="revoked"):
        Status("good", NOW)


def test_times_stand_in_order() -> None:
    about = certificate_id(authority().issuer, LEAF)
    with pytest.raises(ValueError, match="after"):
        build_answer(about, GOOD, this_update=LATER, next_update=NOW, responder=responder())


def test_only_a_responder_of_the_authority_answers() -> None:
    built, other = authority(), authority("p384")
    with pytest.raises(ValueError, match="not the key"):
        Responder.of(built.responder.certificate, built.signer, built.issuer)
    with pytest.raises(ValueError, match="of this CA"):
        Responder.of(other.responder.certificate, other.responder_signer, built.issuer)
    leaf = makers.leaf(built, key=makers.checked("p256", 3))
    with pytest.raises(ValueError, match="may not sign"):
        Responder.of(leaf.certificate, makers.PlainSigner(makers.private("p256", 3)), built.issuer)


def test_unsigned_answers_say_what_they_should() -> None:
    said = {
        MALFORMED: ocsp.OCSPResponseStatus.MALFORMED_REQUEST,
        TRY_LATER: ocsp.OCSPResponseStatus.TRY_LATER,
        UNAUTHORIZED: ocsp.OCSPResponseStatus.UNAUTHORIZED,
    }
    for data, status in said.items():
        assert data == ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
