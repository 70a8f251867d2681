"""pkilint, at WARNING, over every profile and kind of key, every list and every answer: it finds nothing.

Its own programs are run, all in one process, which starts in seconds.
"""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.x509.alternative_names import AlternativeName
from pki.x509.crl import REASONS, RevokedEntry, build_crl
from pki.x509.keys_policy import KINDS
from pki.x509.ocsp import GOOD, UNKNOWN, Responder, Status, build_answer
from pki.x509.ocsp_requests import certificate_id
from pki.x509.orders import Subject
from pki.x509.profiles import DEVICE, PARTNER, TERMINAL
from pki.x509.serials import new_serial
from pki.x509.tests import makers
from pki.x509.tests.makers import LATER, NOW, authority

ISSUERS = ("p256", "p384", "ed25519", "rsa-2048")
HOST = AlternativeName("dns", f"t-1.{makers.ZONE}")
URI = AlternativeName("uri", "https://bank.example/devices/7")

PROGRAM = """
import contextlib, io, json, sys
from pkilint.bin import lint_crl, lint_ocsp_response, lint_pkix_cert
mains = {"cert": (lint_pkix_cert.main, []), "ocsp": (lint_ocsp_response.main, []),
         "crl": (lint_crl.main, ["-t", "CRL", "-p", "PKIX"])}
said = {}
for path in sys.argv[1:]:
    main, options = mains[path.rsplit(".", 1)[1]]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(["lint", "-s", "WARNING", *options, path])
    said[path] = [code, out.getvalue().strip()]
print(json.dumps(said))
"""


def findings(folder: Path) -> dict[str, tuple[int, str]]:
    """What pkilint says of each file, by the file's name, and nothing of those it has nothing to say of."""
    paths = sorted(str(path) for path in folder.iterdir())
    done = subprocess.run([sys.executable, "-c", PROGRAM, *paths], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert set(said) == set(paths)
    return {Path(path).name: (code, text) for path, (code, text) in said.items() if code or text}


def test_certificates_of_every_profile_and_kind(tmp_path: Path) -> None:
    for issuer in ISSUERS:
        made = authority(issuer)
        for name, issued in (("root", made.root), ("issuing", made.issuing), ("responder", made.responder)):
            (tmp_path / f"{issuer}-{name}.cert").write_text(issued.pem)
    for kind in KINDS:
        for profile, names in ((DEVICE, ()), (DEVICE, (HOST, URI)), (TERMINAL, (HOST,)), (PARTNER, (URI,))):
            for issuer in ISSUERS if kind == "p256" else ("p256",):
                subject = Subject("NG", "Digital Bank Ltd", makers.NAME, unit="Devices" if names else None)
                issued = makers.leaf(authority(issuer), profile, makers.checked(kind), names=names, subject=subject)
                (tmp_path / f"{issuer}-{profile.name}-{kind}-{len(names)}.cert").write_text(issued.pem)
    assert len(list(tmp_path.iterdir())) == 12 + 4 * (len(ISSUERS) + len(KINDS) - 1)
    assert findings(tmp_path) == {}


def test_revocation_lists(tmp_path: Path) -> None:
    for issuer in ISSUERS:
        made = authority(issuer)
        entries = [RevokedEntry(new_serial(), NOW - timedelta(days=n), reason) for n, reason in enumerate(REASONS)]
        for rows in ((), entries):
            data = build_crl(
                made.issuer, rows, number=len(rows) + 1, this_update=NOW, next_update=LATER, signer=made.signer
            )
            text = x509.load_der_x509_crl(data).public_bytes(Encoding.PEM)
            (tmp_path / f"{issuer}-{len(rows)}.crl").write_bytes(text)
    assert findings(tmp_path) == {}


def test_answers(tmp_path: Path) -> None:
    statuses = [GOOD, UNKNOWN, *(Status("revoked", NOW - timedelta(days=1), reason) for reason in REASONS)]
    for issuer in ISSUERS:
        made = authority(issuer)
        responder = Responder.of(made.responder.certificate, made.responder_signer, made.issuer)
        for number, status in enumerate(statuses):
            about = certificate_id(made.issuer, new_serial(), "sha256" if number % 2 else "sha1")
            for nonce in (None, b"n" * 32):
                data = build_answer(
                    about, status, this_update=NOW, next_update=LATER, responder=responder, nonce=nonce
                )
                (tmp_path / f"{issuer}-{number}-{'nonce' if nonce else 'plain'}.ocsp").write_bytes(data)
    assert findings(tmp_path) == {}


def test_it_does_find_things(tmp_path: Path) -> None:
    body = authority().issuing.pem
    raw = bytearray(authority().issuing.der)
    at = raw.index(bytes.fromhex("0603551d13")) + 5  # basicConstraints: take its critical flag's value
    raw[at + 2] = 0
    changed = x509.load_der_x509_certificate(authority().issuing.der)
    assert changed.public_bytes(Encoding.PEM).decode() == body
    (tmp_path / "changed.cert").write_bytes(bytes(raw))
    assert list(findings(tmp_path)) == ["changed.cert"]
