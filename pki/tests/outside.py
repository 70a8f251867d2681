"""What anybody may fetch, as others see it: the addresses that stand in a certificate, asked for by openssl."""

import base64
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from django.http import HttpResponse
from django.test import Client

from pki.authority import issuer_of
from pki.models import Certificate, CertificateAuthority
from pki.x509.orders import name_and_key_hashes

# PORTAL_REQUIRE_OPENSSL=1 lets these fail where there is none.
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None and os.environ.get("PORTAL_REQUIRE_OPENSSL") != "1", reason="no openssl on PATH"
)


def openssl(*arguments: str | Path, expect: int | None = 0, folder: Path | None = None) -> str:
    """What openssl prints, its complaints too. expect: its exit code; None: any. folder: where its files are."""
    done = _run(arguments, b"", folder)
    said = (done.stdout + done.stderr).decode()
    assert expect is None or done.returncode == expect, said
    return said


def openssl_output(*arguments: str | Path, data: bytes = b"") -> bytes:
    """What openssl writes to its output, given `data`."""
    done = _run(arguments, data, None)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _run(arguments: Sequence[str | Path], data: bytes, folder: Path | None) -> subprocess.CompletedProcess[bytes]:
    line = ["openssl", *map(str, arguments)]
    return subprocess.run(line, input=data, capture_output=True, timeout=60, cwd=folder)


def loaded(row: Certificate | CertificateAuthority) -> x509.Certificate:
    assert row.der is not None
    return x509.load_der_x509_certificate(bytes(row.der))


def ocsp_path(row: Certificate | CertificateAuthority) -> str:
    """The path of the responder that a certificate names."""
    access = loaded(row).extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    url = next(one for one in access if one.access_method == AuthorityInformationAccessOID.OCSP).access_location.value
    return str(urlsplit(str(url)).path)


def crl_path(row: Certificate | CertificateAuthority) -> str:
    """The path of the list that a certificate names."""
    points = loaded(row).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    names = points[0].full_name
    assert names
    return urlsplit(str(names[0].value)).path


def question(
    row: Certificate | CertificateAuthority,
    issuer: CertificateAuthority,
    *,
    nonce: bytes | None = None,
    algorithm: str = "SHA1",
) -> bytes:
    """An OCSP request about a certificate, by the library."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(loaded(row), loaded(issuer), getattr(hashes, algorithm)())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def about_serial(issuer: CertificateAuthority, serial: int) -> bytes:
    """An OCSP request about any serial of an authority."""
    name, key = name_and_key_hashes(issuer_of(issuer), "sha1")
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, hashes.SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


@cache
def _client() -> Client:
    """One for all: what takes long is to put its middleware together."""
    return Client()


def post(path: str, data: bytes) -> HttpResponse:
    answer = _client().post(path, data, content_type="application/ocsp-request")
    assert isinstance(answer, HttpResponse)
    return answer


def get(path: str, data: bytes) -> HttpResponse:
    answer = _client().get(f"{path}/{quote(base64.b64encode(data).decode(), safe='')}")
    assert isinstance(answer, HttpResponse)
    return answer


def said(answer: HttpResponse) -> str:
    """`good`, `revoked`, `unknown`, or the error's name (`malformed_request`, `unauthorized`, …)."""
    assert answer.status_code == 200, answer.content[:200]
    assert answer["Content-Type"] == "application/ocsp-response"
    read = ocsp.load_der_ocsp_response(answer.content)
    if read.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return read.response_status.name.lower()
    return read.certificate_status.name.lower()


def ask(certificate: Certificate, *, nonce: bytes | None = None) -> str:
    """What the responder that the certificate names says of it now."""
    return said(post(ocsp_path(certificate), question(certificate, certificate.authority, nonce=nonce)))


def fetched_crl(row: Certificate | CertificateAuthority) -> x509.CertificateRevocationList:
    """The list that a certificate names, over HTTP."""
    answer = Client().get(crl_path(row))
    assert answer.status_code == 200
    return x509.load_der_x509_crl(answer.content)


def is_listed(certificate: Certificate) -> bool:
    found = fetched_crl(certificate).get_revoked_certificate_by_serial_number(int(certificate.serial, 16))
    return found is not None


def pem(der: bytes | memoryview | None) -> str:
    assert der is not None
    return x509.load_der_x509_certificate(bytes(der)).public_bytes(Encoding.PEM).decode()
