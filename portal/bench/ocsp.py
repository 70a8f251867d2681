"""OCSP: how many stored answers one process gives a second, against a view that does nothing.

Both stand behind the same middleware, and are called as a web server calls them, in turns, in one thread.
The view answers with as many bytes.
"""

import base64
import logging
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce
from cryptography.x509 import ocsp as library
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path

from devices.models import Device, Kind
from devices.states import Category, DeviceStatus
from pki.authority import address, issuer_of
from pki.models import Certificate, CertificateAuthority
from pki.operations import ocsp
from pki.operations.hierarchy import ISSUING_KEY, ROOT_KEY, AuthorityFacts, create_issuing, create_root
from pki.states import CertificateState
from pki.x509.orders import name_and_key_hashes
from pki.x509.serials import new_serial
from portal.accounts.models import Bank, User, UserKind
from portal.bench import own_database
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.urls import urlpatterns as _ours

ACTOR: Final = Actor.system("bench", channel=Channel.COMMAND)
ROUNDS: Final = 5
ANSWER: Final = bytes(1000)

type Environ = dict[str, Any]


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ANSWER, content_type="application/ocsp-response")


urlpatterns = [path("pki/nothing/<path:rest>", lambda request, rest: _nothing(request)), *_ours]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--certificates", type=int, default=1000, help="how many are asked about (default: 1000)")
    parser.add_argument("--calls", type=int, default=2000, help="of each kind in one round (default: 2000)")


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
        fastest = {"nothing": 0.0, "stored": 0.0, "live": 0.0}
        for _ in range(ROUNDS):
            for name, environs in (("nothing", nothing), ("stored", stored), ("live", live)):
                fastest[name] = max(fastest[name], _rate(handler, environs, calls if name != "live" else calls // 5))
        yield f"a view that does nothing: {fastest['nothing']:.0f} a second"
        yield f"stored answers: {fastest['stored']:.0f} a second"
        yield f"answers with a nonce, signed on the spot: {fastest['live']:.0f} a second"
        yield f"stored / nothing: {fastest['stored'] / fastest['nothing']:.2f}"


def _rate(handler: WSGIHandler, environs: Sequence[Environ], calls: int) -> float:
    """Calls a second of this thread's processor time: what others do on the machine does not count."""
    size = 0

    def start(status: str, *rest: object) -> Callable[[bytes], object]:
        if not status.startswith("200"):
            raise AssertionError(status)
        return bytes

    begin = time.thread_time()
    for number in range(calls):
        environ = environs[number % len(environs)] | {"wsgi.input": BytesIO()}
        response = handler(environ, start)
        size += sum(map(len, response))
        response.close()
    taken = time.thread_time() - begin
    if size < calls * 200:
        raise AssertionError("these are no answers")
    return calls / taken


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


def make_authority() -> CertificateAuthority:
    """A bank with an authority."""
    bank = Bank.objects.create(code="bench", name="Bench")
    root = create_root(actor=ACTOR, facts=_facts("Bench Root", ROOT_KEY))
    return create_issuing(actor=ACTOR, bank=bank, parent=root, facts=_facts("Bench CA", ISSUING_KEY))


def _facts(name: str, key: str) -> AuthorityFacts:
    return AuthorityFacts(name=name, country="NG", organisation="Bench Ltd", key=key)


def make_certificates(authority: CertificateAuthority, count: int, *, revoked: bool = False) -> list[Certificate]:
    """So many rows of certificates, each of a device of its own; revoked ones all of one, and not returned."""
    now = clock.now()
    assert authority.bank_id is not None  # noqa: S101  an issuing one
    owner = User.objects.create(
        bank_id=authority.bank_id, kind=UserKind.CUSTOMER, name="Ada", customer_number="1", password="!"  # noqa: S106  no password
    )  # fmt: skip
    devices = [
        Device(
            bank_id=authority.bank_id,
            owner=owner,
            category=Category.OWNED,
            kind=Kind.MOBILE,
            status=DeviceStatus.ACTIVE,
            registered_at=now,
            updated_at=now,
            activated_at=now,
        )
        for _ in range(1 if revoked else count)
    ]
    Device.objects.bulk_create(devices, batch_size=500)
    made: list[Certificate] = []
    for start in range(0, count, 1000):  # not all at once: the memory of a list is measured afterwards
        numbers = range(start, min(start + 1000, count))
        rows = [_row(authority, devices[number % len(devices)], number, revoked=revoked) for number in numbers]
        Certificate.objects.bulk_create(rows)
        made += [] if revoked else rows
    return made


def _row(authority: CertificateAuthority, device: Device, number: int, *, revoked: bool) -> Certificate:
    now = clock.now()
    return Certificate(
        bank_id=device.bank_id,
        authority=authority,
        device=device,
        serial=f"{new_serial():040x}",
        profile="device",
        state=CertificateState.REVOKED if revoked else CertificateState.ACTIVE,
        revoked_at=now - timedelta(seconds=number) if revoked else None,
        revocation_reason="superseded" if revoked else "",
        key_fingerprint=f"{number:064x}",
        key_algorithm="p256",
        key_since=now,
        der=b"0",
        not_before=now,
        not_after=now + timedelta(days=365),
        reserved_at=now,
        issued_at=now,
    )
