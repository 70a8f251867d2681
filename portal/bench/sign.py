"""Signing: in process against a bare signature of the library, and over the API against the least a server can do.

A whole portal runs for the second part. Its one more address checks the token, signs one certificate and stores one
row; `cert/sign` does all its checks, three transactions and three audit events. Both are called in turns.
"""

import base64
import secrets
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pki.x509.asking import check_asked
from pki.x509.building import Issued, issue, prepare
from pki.x509.keys_policy import CheckedKey, describe_key
from pki.x509.orders import Issuer, Order, Subject, validity
from pki.x509.profiles import DEVICE, ISSUING, ROOT, Profile
from pki.x509.requests import check_request
from pki.x509.serials import new_serial
from portal.bench._bare import bare_builder
from portal.bench._running import Caller, running_portal
from portal.core import clock

MOST_IN_PROCESS: Final = 12.0  # times a bare signature
MOST_OVER_API: Final = 5.0  # times the floor
WARM_UP: Final = 20


class _Signer:
    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.key = key


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=2000, help="signatures in process (default: 2,000)")
    parser.add_argument("--calls", type=int, default=300, help="calls of each address (default: 300)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Two ratios, each with the times it comes from."""
    yield from _in_process(int(str(options["rounds"])))
    yield from _over_api(int(str(options["calls"])))


def _in_process(rounds: int) -> Iterator[str]:
    made, signer = _authority()
    bare_key = ec.generate_private_key(ec.SECP256R1())
    data, bare = _request("DEV_1"), bare_builder(bare_key)

    def whole() -> None:
        request = check_request(data)
        granted = check_asked(request.asked, DEVICE, request.key.kind)
        subject = Subject("NG", "Bank", "DEV_1")
        order = Order(
            DEVICE, request.key, subject, new_serial(), *validity(clock.now(), granted.days), granted=granted
        )
        issue(prepare(order, made), signer)

    ours, theirs = _in_turns(rounds, whole, lambda: bare.sign(bare_key, SHA256()))
    yield f"in process: gate, lint, build and sign {ours * 1000:.3f} ms, bare signature {theirs * 1000:.3f} ms"
    yield f"in process: {ours / theirs:.1f} bare signatures (at most {MOST_IN_PROCESS:.0f})"


def _in_turns(rounds: int, one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """The median seconds of each, measured in turns, so that both meet the same machine."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + WARM_UP):
        for step, times in zip((one, other), taken, strict=True):
            start = time.perf_counter()
            step()
            if turn >= WARM_UP:
                times.append(time.perf_counter() - start)
    return statistics.median(taken[0]), statistics.median(taken[1])


def _authority() -> tuple[Issuer, _Signer]:
    root, issuing = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    top = Issuer(_made(ROOT, root, None, _Signer(root)).certificate, "", *_addresses("root"))
    return Issuer(
        _made(ISSUING, issuing, top, _Signer(root)).certificate, "http://pki.example/ocsp", *_addresses("ca")
    ), _Signer(issuing)


def _addresses(name: str) -> tuple[str, str]:
    return f"http://pki.example/{name}.cer", f"http://pki.example/{name}.crl"


def _made(profile: Profile, key: ec.EllipticCurvePrivateKey, parent: Issuer | None, signer: _Signer) -> Issued:
    checked: CheckedKey | None = describe_key(key.public_key())
    if checked is None:
        raise TypeError("P-256 is on the list")
    subject = Subject("NG", "Bank", f"Bench {profile.name}")
    days = profile.days if parent is None else 365 * 5
    return issue(
        prepare(Order(profile, checked, subject, new_serial(), *validity(clock.now(), days)), parent), signer
    )


def _request(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return made.public_bytes(Encoding.DER)


def _over_api(calls: int) -> Iterator[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "portal.bench._floor_settings"}
    with (
        tempfile.TemporaryDirectory(prefix="portal-bench-") as folder,
        running_portal(Path(folder), **settings) as (port, demo),
        closing(Caller(port)) as caller,
    ):
        owner = demo["customers"][0]
        server = next(row for row in demo["applications"] if (row["bank"], row["kind"]) == (owner["bank"], "bank"))
        token: str = server["access_token"]
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(calls + WARM_UP):
            device = _device(caller, owner["access_token"], token)
            csr = base64.b64encode(_request(device)).decode()
            asked = caller.must("/v1/device/cert/request", owner["access_token"], {"deviceId": device, "csr": csr})
            order = {"csrId": asked["csrId"], "validityDays": 365}
            paths: tuple[tuple[str, object], ...] = (("/v1/device/cert/sign", order), ("/v1/device/bench-floor", {}))
            for (path, body), taken in zip(paths, times, strict=True):
                start = time.perf_counter()
                caller.must(path, token, body)
                if turn >= WARM_UP:
                    taken.append(time.perf_counter() - start)
    ours, floor = (statistics.median(taken) for taken in times)
    yield f"over the API: cert/sign {ours * 1000:.1f} ms, token, signature and row {floor * 1000:.1f} ms"
    yield f"over the API: {ours / floor:.1f} times the floor (at most {MOST_OVER_API:.0f})"


def _device(caller: Caller, token: str, bank: str) -> str:
    """A device that has no certificate yet."""
    name = f"bench.{secrets.token_hex(8)}"
    caller.must("/v1/device/owned-devices", token, {"external-device-identifier": name})
    switch: dict[str, Any] = {"deviceId": name, "action": "ACTIVATE", "reason": "measured"}
    return str(caller.must("/v1/device/status", bank, switch)["deviceId"])
