"""Approvals: the whole call against the least a server can do, while one request waits and while very many do.

A whole portal runs for it. Its one more address stands behind the same middleware, checks the token, verifies one
ECDSA signature and touches the same rows by plain SQL. Both are called in turns.
"""

import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from portal.bench._running import Caller, running_portal

MOST: Final = 2.5  # times the floor
WARM_UP: Final = 20
AT_ONCE: Final = 10_000  # requests that one call makes
SETTINGS: Final = "portal.bench._approve_settings"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--open", type=int, default=100_000, help="requests that wait (default: 100,000)")
    parser.add_argument("--calls", type=int, default=300, help="calls of each address (default: 300)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """The ratio with one open request and with many, and how much the call itself grew."""
    many, calls = int(str(options["open"])), int(str(options["calls"]))
    with (
        tempfile.TemporaryDirectory(prefix="portal-bench-") as folder,
        running_portal(Path(folder), DJANGO_SETTINGS_MODULE=SETTINGS) as (port, demo),
        closing(Caller(port)) as caller,
    ):
        phone = _Phone(caller, demo)
        few = yield from _measured(phone, calls, "1 open request")
        for start in range(0, many, AT_ONCE):
            phone.fill(min(AT_ONCE, many - start))
        most = yield from _measured(phone, calls, f"{many:,} open requests")
        ours, floor = (after / before for after, before in zip(most, few, strict=True))
        yield f"{many:,} / 1: {ours:.2f} times as long, the floor {floor:.2f}"


def _measured(phone: "_Phone", calls: int, what: str) -> Generator[str, None, tuple[float, float]]:
    """A generator that also returns the medians, ours and the floor's."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(calls + WARM_UP):
        for step, request, taken in zip((phone.approve, phone.floor), phone.ask(2), times, strict=True):
            call = step(request)
            start = time.perf_counter()
            call()
            if turn >= WARM_UP:
                taken.append(time.perf_counter() - start)
    ours, floor = (statistics.median(taken) for taken in times)
    yield f"{what}: approve {ours * 1000:.1f} ms, floor {floor * 1000:.1f} ms"
    yield f"{what}: {ours / floor:.1f} times the floor (at most {MOST})"
    return ours, floor


class _Phone:
    """The demo's first phone, its key, and the bank's server that asks."""

    def __init__(self, caller: Caller, demo: Mapping[str, Any]) -> None:
        owner = demo["customers"][0]
        self._caller, self._device = caller, owner["devices"][0]
        server = next(row for row in demo["applications"] if (row["bank"], row["kind"]) == (owner["bank"], "bank"))
        self._server: str = server["access_token"]
        key = load_pem_private_key(self._device["private_key_pem"].encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the demo's first phone has a P-256 key")
        self._key = key
        self._public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def ask(self, count: int) -> list[dict[str, str]]:
        body = {"device": self._device["uuid"], "count": count}
        found: list[dict[str, str]] = self._caller.must("/device/v1/bench-ask", self._server, body)["requests"]
        return found

    def fill(self, count: int) -> None:
        self._caller.must("/device/v1/bench-fill", self._server, {"device": self._device["uuid"], "count": count})

    def approve(self, request: Mapping[str, str]) -> Callable[[], None]:
        return self._call(f"/device/v1/2fa/{request['id']}/approve", {"signature": self._signature(request)})

    def floor(self, request: Mapping[str, str]) -> Callable[[], None]:
        body = {"signature": self._signature(request), "message": request["message"], "key": self._public}
        return self._call(f"/device/v1/bench-floor/{request['id']}", body)

    def _call(self, path: str, body: object) -> Callable[[], None]:
        def call() -> None:
            status, data = self._caller.call("POST", path, self._device["access_token"], body)
            if status != 204:
                raise RuntimeError(f"{path} answered {status}: {data[:200]!r}")

        return call

    def _signature(self, request: Mapping[str, str]) -> str:
        """DER, which both read."""
        return self._key.sign(request["message"].encode(), ec.ECDSA(SHA256())).hex()
