"""A standard client: `openssl` makes the keys and requests and reads the answers; HTTP is Django's test client."""

import base64
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from django.test import Client

from pki.models import Certificate
from pki.tests.outside import openssl, openssl_output
from pki.x509.pem import pem_of

PROXY: Final = "10.1.2.3"
HEADER: Final = "Client-Cert"
BASE: Final = "/.well-known/est"


class EstClient:
    """A device with a key in a folder of its own.

    token: what it shows in a header. certificate: what it shows the proxy. direct: it reaches us without the proxy.
    """

    def __init__(
        self,
        folder: Path,
        bank: str,
        *,
        token: str = "",
        certificate: Certificate | None = None,
        direct: bool = False,
    ) -> None:
        self.folder, self.bank, self.token, self.direct = folder, bank, token, direct
        self.shown = shown(certificate) if certificate else ""
        self.http = Client(raise_request_exception=False)

    def request(self, name: str, *, key: str = "key", challenge: str = "") -> bytes:
        """A request for a name in base64, as `openssl req` and `openssl base64` write it. Same key, same file."""
        path = self.folder / f"{key}.pem"
        if not path.exists():
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))
        config = self.folder / "openssl.cnf"
        attributes = f"attributes=attr\n[attr]\nchallengePassword={challenge}\n" if challenge else ""
        config.write_text(f"[req]\nprompt=no\ndistinguished_name=dn\n{attributes}[dn]\nCN={name}\n")
        options = ["-new", "-key", str(path), "-config", str(config), "-outform", "DER"]
        return openssl_output("base64", data=openssl_output("req", *options))

    def send(
        self, method: str, path: str, body: bytes = b"", *, kind: str = "application/pkcs10", **extra: Any
    ) -> Any:
        headers = {HEADER: self.shown} if self.shown else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        address = "192.0.2.9" if self.direct else PROXY
        path = path if path.startswith("/") else f"{BASE}/{self.bank}/{path}".replace("//", "/")
        sent = kind if method == "POST" else ""
        return self.http.generic(method, path, body, sent, headers=headers, REMOTE_ADDR=address, **extra)

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def enrol(self, csr: bytes, operation: str = "simpleenroll", **values: Any) -> Any:
        return self.send("POST", operation, csr, **values)


def shown(certificate: Certificate) -> str:
    """A certificate as nginx hands it on."""
    return quote(pem_of(bytes(certificate.der or b"")), safe="")


def certificates_in(body: bytes, folder: Path) -> list[bytes]:
    """The certificates in an answer, in PEM, as openssl sees them."""
    der = folder / "answer.p7"
    der.write_bytes(base64.b64decode(body, validate=False))
    text = openssl("pkcs7", "-inform", "DER", "-in", der, "-print_certs")
    end = "-----END CERTIFICATE-----"
    return [
        f"-----BEGIN{part}{end}\n".encode() for block in text.split(end) for part in block.split("-----BEGIN")[1:]
    ]


def verify(leaf: bytes, trusted: list[bytes], folder: Path) -> str:
    """What `openssl verify` says of a certificate, with the answer of cacerts as all that is known."""
    (folder / "leaf.pem").write_bytes(leaf)
    (folder / "ca.pem").write_bytes(b"".join(trusted))
    return openssl("verify", "-CAfile", folder / "ca.pem", folder / "leaf.pem").strip()
