"""Where a request comes from, its id, and which headers count."""

import io
import ipaddress
import json
import threading
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory
from structlog.contextvars import get_contextvars

from portal.embedded.waiting import wait_until
from portal.requests import RequestContextMiddleware, client_ip, read_address, request_id

PROXY = "10.0.0.1"


def seen(request: HttpRequest) -> JsonResponse:
    headers = sorted(name for name in request.META if name.startswith("HTTP_") and name != "HTTP_COOKIE")
    return JsonResponse(
        {"ip": client_ip(request), "id": request_id(request), "headers": headers, "log": get_contextvars()}
    )


def call(remote_addr: str = "198.51.100.7", **meta: str) -> tuple[HttpResponse, dict[str, object]]:
    request = RequestFactory().get("/", REMOTE_ADDR=remote_addr, **meta)  # type: ignore[arg-type]
    response = RequestContextMiddleware(seen)(request)
    if response["Content-Type"] != "application/json":
        return response, {}
    return response, json.loads(response.content)


@pytest.fixture
def behind_proxy(settings: LazySettings) -> None:
    settings.DEMO = False
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.fixture
def direct(settings: LazySettings) -> None:
    settings.DEMO = False
    settings.TRUSTED_PROXIES = []


@pytest.mark.usefixtures("direct")
class TestWithoutAProxy:
    def test_the_peer_is_the_client_whatever_headers_say(self) -> None:
        _, body = call(HTTP_X_FORWARDED_FOR="203.0.113.9", HTTP_FORWARDED="for=203.0.113.9", HTTP_X_REAL_IP="1.2.3.4")
        assert body["ip"] == "198.51.100.7"

    @pytest.mark.parametrize(
        "header",
        [
            "HTTP_X_FORWARDED_FOR",
            "HTTP_X_FORWARDED_PROTO",
            "HTTP_X_FORWARDED_HOST",
            "HTTP_X_FORWARDED_CLIENT_CERT",
            "HTTP_FORWARDED",
            "HTTP_X_REAL_IP",
            "HTTP_X_CLIENT_CERT",
            "HTTP_CLIENT_CERT",
            "HTTP_CLIENT_CERT_CHAIN",
            "HTTP_SSL_CLIENT_CERT",
            "HTTP_X_SSL_CLIENT_S_DN",
            "HTTP_X_SSL_CLIENT_VERIFY",
            "HTTP_X_TLS_CLIENT_CERT",
        ],
    )
    def test_a_claim_about_address_scheme_or_certificate_is_taken_away(self, header: str) -> None:
        _, body = call(HTTP_ACCEPT="*/*", **{header: "x"})
        assert body["headers"] == ["HTTP_ACCEPT"]

    def test_a_sent_request_id_is_not_taken_over(self) -> None:
        response, body = call(HTTP_X_REQUEST_ID="somebody-elses-id")
        assert body["id"] != "somebody-elses-id"
        assert response["X-Request-Id"] == body["id"]
        assert len(str(body["id"])) == 32

    def test_each_request_has_another_id_and_logs_know_it(self) -> None:
        ids = {str(call()[1]["id"]) for _ in range(20)}
        assert len(ids) == 20
        _, body = call()
        assert body["log"] == {"request_id": body["id"]}
        assert get_contextvars() == {}

    @pytest.mark.parametrize(
        ("remote_addr", "ip"),
        [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("", ""),
            ("unix:", ""),
        ],
    )
    def test_every_spelling_of_the_peer_is_read(self, remote_addr: str, ip: str) -> None:
        assert call(remote_addr)[1]["ip"] == ip


@pytest.mark.usefixtures("behind_proxy")
class TestBehindAProxy:
    @pytest.mark.parametrize(
        ("chain", "ip"),
        [
            ("203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the client wrote 1.1.1.1 itself
            ("1.1.1.1,203.0.113.9,10.0.0.2", "203.0.113.9"),
            ("203.0.113.9:5000, 10.0.0.2", "203.0.113.9"),
            ('"[2001:db8::5]:443", fd00::1', "2001:db8::5"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("203.0.113.9, rubbish", PROXY),
            ("rubbish, 10.0.0.2", "10.0.0.2"),
            ("", PROXY),
        ],
    )
    def test_the_chain_is_walked_from_the_right_over_proxies_only(self, chain: str, ip: str) -> None:
        assert call(PROXY, HTTP_X_FORWARDED_FOR=chain)[1]["ip"] == ip

    def test_a_very_long_chain_is_cut(self) -> None:
        chain = ", ".join(["203.0.113.9"] + ["10.0.0.2"] * 10_000)
        assert call(PROXY, HTTP_X_FORWARDED_FOR=chain)[1]["ip"] == "10.0.0.2"

    def test_the_proxys_headers_stay(self) -> None:
        _, body = call(PROXY, HTTP_X_FORWARDED_PROTO="https", HTTP_X_CLIENT_CERT="pem")
        assert body["headers"] == ["HTTP_X_CLIENT_CERT", "HTTP_X_FORWARDED_PROTO"]

    def test_a_stranger_beside_the_proxy_is_stripped_all_the_same(self) -> None:
        _, body = call("198.51.100.7", HTTP_X_FORWARDED_FOR="1.1.1.1", HTTP_X_FORWARDED_PROTO="https")
        assert (body["ip"], body["headers"]) == ("198.51.100.7", [])

    def test_a_well_formed_request_id_is_taken_over(self) -> None:
        response, body = call(PROXY, HTTP_X_REQUEST_ID="edge-0123456789.abc_")
        assert (body["id"], response["X-Request-Id"]) == ("edge-0123456789.abc_", "edge-0123456789.abc_")

    @pytest.mark.parametrize("sent", ["short", "x" * 65, "has space here", "new\nline-here", "ünïcödé-12345", ""])
    def test_any_other_request_id_is_replaced(self, sent: str) -> None:
        response, body = call(PROXY, HTTP_X_REQUEST_ID=sent)
        assert body["id"] != sent
        assert response["X-Request-Id"] == body["id"]


class TestTheDemo:
    @pytest.fixture(autouse=True)
    def _demo(self, settings: LazySettings) -> None:
        settings.DEMO = True
        settings.TRUSTED_PROXIES = []

    @pytest.mark.parametrize("remote_addr", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.9.10"])
    def test_this_machine_is_answered(self, remote_addr: str) -> None:
        assert call(remote_addr)[0].status_code == 200

    @pytest.mark.parametrize("remote_addr", ["198.51.100.7", "10.0.0.1", "2001:db8::1", "", "rubbish"])
    def test_another_machine_is_refused(self, remote_addr: str) -> None:
        response, _ = call(remote_addr)
        assert response.status_code == 400
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert response.content == b"The demo answers only direct calls from this machine.\n"

    @pytest.mark.parametrize(
        "header", ["HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_X_REAL_IP"]
    )
    def test_a_forwarded_call_is_refused(self, header: str) -> None:
        assert call("127.0.0.1", **{header: "127.0.0.1"})[0].status_code == 400


def test_a_request_that_never_passed_the_middleware_has_its_peer_and_no_id() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert (client_ip(request), request_id(request)) == ("192.0.2.1", "")


@pytest.mark.parametrize("text", ["", " ", "1.2.3", "1.2.3.4.5", "::g", "[::1", "a:b:c", "1.2.3.4/8", "𝟙.2.3.4"])
def test_what_is_no_address_is_none_or_an_address(text: str) -> None:
    found = read_address(text)
    assert found is None or str(found) == "::1"


def test_slow_bodies_never_hold_all_threads(settings: Any) -> None:
    """Callers who announce a body and do not send it wait; the next one is told at once, and reads go on."""
    settings.WEB_THREADS = 4
    settings.DEMO = False
    release = threading.Event()

    class Slow(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            release.wait(30)
            return b""

    middleware = RequestContextMiddleware(lambda request: HttpResponse("answered"))

    def post() -> HttpResponse:
        request = RequestFactory().post("/oauth/token", b"x" * 100, content_type="text/plain")
        request._stream = Slow()  # type: ignore[assignment]
        return middleware(request)

    waiting = [threading.Thread(target=post) for _ in range(3)]
    for thread in waiting:
        thread.start()
    assert wait_until(lambda: middleware.bodies._value == 0, seconds=10)
    refused = post()
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert middleware(RequestFactory().get("/healthz")).content == b"answered"
    release.set()
    for thread in waiting:
        thread.join()
    assert post().content == b"answered"
