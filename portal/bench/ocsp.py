"""OCSP: how many stored answers one process gives a second, against a view that does nothing.

Both stand behind the same middleware, and are called as a web server calls them, in one thread. They take turns after
a few calls, so that both meet the same machine, and the median counts. The view answers with as many bytes.
"""

import base64
import logging
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from statistics import median
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce
from cryptography.x509 import ocsp as library
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path

from pki.authority import address, issuer_of
from pki.models import CertificateAuthority
from pki.operations import ocsp
from pki.x509.orders import name_and_key_hashes
from portal.bench import own_database
from portal.bench._rows import make_authority, make_certificates
from portal.urls import urlpatterns as _ours

TURN: Final = 25  # calls
LEAST: Final = 0.6  # of what a view does that does nothing
ANSWER: Final = bytes(1000)

type Environ = dict[str, Any]


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ANSWER, content_type="application/ocsp-response")


urlpatterns = [path("pki/nothing/<path:rest>", lambda request, rest: _nothing(request)), *_ours]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--certificates", type=int, default=1000, help="how many are asked about (default: 1000)")
    parser.add_argument("--calls", type=int, default=5000, help="of each kind (default: 5000)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Ask about certificates in turn: stored answers, answers with a nonce, and the view that does nothing."""
    count, calls = int(str(options["certificates"])), int(str(options["calls"]))
    logging.disable(logging.INFO)
    with own_database(), override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], DEMO=False):
        authority = make_authority()
        serials = [int(row.serial, 16) for row in make_certificates(authority, count)]
        started = time.perf_counter()
        signed = ocsp.refresh()
        yield f"signed beforehand: {signed / (time.perf_counter() - started):.0f} answers a second, stored in batches"
        handler = WSGIHandler()
        base = address(authority, "ocsp").partition("//")[2].partition("/")[2]
        stored = [_environ(f"/{base}/{_question(authority, serial)}") for serial in serials]
        live = [_environ(f"/{base}/{_question(authority, serial, b'n' * 32)}") for serial in serials]
        nothing = [_environ(f"/pki/nothing/{_question(authority, serial)}") for serial in serials]
        yield from _lines(*_in_turns(handler, (nothing, stored, live), calls))


def _lines(nothing: "_Taken", stored: "_Taken", live: "_Taken") -> Iterator[str]:
    yield f"a view that does nothing: {nothing}"
    yield f"stored answers: {stored}"
    yield f"answers with a nonce, signed on the spot: {live}"
    yield f"stored / nothing: {nothing.processor / stored.processor:.2f} (at least {LEAST})"


@dataclass(frozen=True)
class _Taken:
    """Seconds for one call. Of this thread's processor time: what others do on the machine does not count."""

    processor: float
    wall: float

    def __str__(self) -> str:
        return f"{1 / self.processor:.0f} a second of processor time, {1 / self.wall:.0f} a second by the clock"


def _in_turns(handler: WSGIHandler, kinds: Sequence[Sequence[Environ]], calls: int) -> list[_Taken]:
    taken: list[list[_Taken]] = [[] for _ in kinds]
    for start in range(0, calls, TURN):
        for environs, times in zip(kinds, taken, strict=True):
            times.append(_call(handler, environs, start))
    return [_Taken(median(turn.processor for turn in of), median(turn.wall for turn in of)) for of in taken]


def _call(handler: WSGIHandler, environs: Sequence[Environ], first: int) -> _Taken:
    size = 0

    def start(status: str, *rest: object) -> Callable[[bytes], object]:
        if not status.startswith("200"):
            raise AssertionError(status)
        return bytes

    processor, wall = time.thread_time(), time.perf_counter()
    for number in range(first, first + TURN):
        environ = environs[number % len(environs)] | {"wsgi.input": BytesIO()}
        response = handler(environ, start)
        size += sum(map(len, response))
        response.close()
    processor, wall = time.thread_time() - processor, time.perf_counter() - wall
    if size < TURN * 200:
        raise AssertionError("these are no answers")
    return _Taken(processor / TURN, wall / TURN)


def _environ(address_path: str) -> Environ:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": address_path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": "127.0.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _question(authority: CertificateAuthority, serial: int, nonce: bytes | None = None) -> str:
    name, key = name_and_key_hashes(issuer_of(authority), "sha1")
    builder = library.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, hashes.SHA1())  # noqa: S303  as clients do
    if nonce is not None:
        builder = builder.add_extension(OCSPNonce(nonce), critical=False)
    return base64.b64encode(builder.build().public_bytes(Encoding.DER)).decode()
