"""Addresses that people typed in: called at a public place or not at all, and at the one that was looked at."""

import ipaddress
import socket
from typing import Any

import httpx
import pytest

from portal.outbox.gateways import http
from portal.outbox.gateways.base import GatewayError
from portal.outbox.gateways.outside import is_address, may_be_called, names_a_private_place, pinned

PUBLIC = "93.184.216.34"


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, 443)) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (PUBLIC, True),
        ("2606:2800:220:1::1", True),
        ("64:ff9b::5db8:d822", True),  # NAT64 of the first
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("ff02::1", False),
        ("::ffff:10.1.2.3", False),
        ("64:ff9b::a01:203", False),
        ("2002:a01:203::1", False),
        ("2001:db8::1", False),
        ("::127.0.0.1", False),  # RFC 4291 2.5.5.1
        ("::93.184.216.34", False),
        ("::ffff:0:169.254.169.254", False),  # RFC 2765 2.1
        ("64:ff9b:1::a01:203", False),  # RFC 8215
        ("fec0::1", False),  # RFC 3879
        ("5f00::1", False),  # RFC 9602
        ("4000::1", False),
    ],
)
def test_only_public_addresses_are_called(text: str, good: bool, settings: Any) -> None:
    settings.DEMO = False
    assert may_be_called(ipaddress.ip_address(text)) is good


def test_a_network_of_ones_own_can_be_let_in(settings: Any) -> None:
    settings.INSIDE_NETWORKS = [ipaddress.ip_network("10.1.0.0/16")]
    assert may_be_called(ipaddress.ip_address("10.1.2.3"))
    assert not may_be_called(ipaddress.ip_address("10.2.2.3"))
    settings.INSIDE_NETWORKS = [ipaddress.ip_network("fd00:1::/32")]
    assert may_be_called(ipaddress.ip_address("fd00:1::1"))
    assert not may_be_called(ipaddress.ip_address("fd00:2::1"))


def test_this_machine_is_called_in_the_demo_only(settings: Any) -> None:
    settings.DEMO = True
    assert may_be_called(ipaddress.ip_address("127.0.0.1"))
    assert not may_be_called(ipaddress.ip_address("10.1.2.3"))


def test_a_name_is_no_place_before_it_is_called() -> None:
    assert [names_a_private_place(host) for host in ("id.bank.example", "10.1.2.3", PUBLIC)] == [False, True, False]


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "0X7F.0X1",
        "127.0.0.0x1",
        "127.0.0.0x",
        "0177.0.0.1",
        "127.0.0.1.",
        "id.bank.1",
        "localhost",
        "LocalHost",
        "localhost.",
        "id.localhost",
    ],
)
def test_a_number_in_disguise_and_this_machine_are_no_names(host: str, settings: Any) -> None:
    settings.DEMO = False
    assert names_a_private_place(host)
    assert not is_address(f"https://{host}/keys")
    settings.DEMO = True
    assert is_address(f"https://{host}/keys")


@pytest.mark.parametrize(
    "host", ["id.bank.example", "id.bank.example.", "1.bank.example", "0x7f.x1", "localhost.bank"]
)
def test_a_name_may_have_numbers_in_it(host: str, settings: Any) -> None:
    settings.DEMO = False
    assert is_address(f"https://{host}/keys")


def test_a_call_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "10.1.2.3", PUBLIC)
    found = pinned("https://id.bank.example:8443/keys?x=1")
    assert (found.url, found.host, found.name) == (
        f"https://{PUBLIC}:8443/keys?x=1",
        "id.bank.example:8443",
        "id.bank.example",
    )
    resolving(monkeypatch, "2606:2800:220:1::1")
    assert pinned("https://id.bank.example/keys").url == "https://[2606:2800:220:1::1]:443/keys"


def test_a_name_of_private_places_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "10.1.2.3", "fd00::1")
    with pytest.raises(GatewayError) as refused:
        http.get("identity provider", "https://id.bank.example/keys", outside=True)
    assert not refused.value.retry


def test_a_name_that_nobody_knows_may_be_known_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(GatewayError) as refused:
        http.post("identity provider", "https://id.bank.example/token", headers={}, body=b"", outside=True)
    assert refused.value.retry


def test_the_server_is_greeted_by_name_and_nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/"}, content=iter([b""]))

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(http, "_client", lambda *args: client)
    resolving(monkeypatch, PUBLIC)
    reply = http.get("identity provider", "https://id.bank.example/keys", outside=True)
    assert (reply.status, len(asked)) == (302, 1)
    request = asked[0]
    assert (request.url.host, request.headers["Host"], request.headers["Connection"]) == (
        PUBLIC,
        "id.bank.example",
        "close",
    )
    assert request.extensions["sni_hostname"] == "id.bank.example"


def test_a_proxy_resolves_names_itself(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.OUTGOING_PROXY = "http://proxy.bank.example:3128"
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=iter([b""]))

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(http, "_client", lambda *args: client)
    assert http.get("identity provider", "https://id.bank.example/keys", outside=True).status == 200
    assert asked[0].url.host == "id.bank.example"


@pytest.mark.parametrize("host", ["127.1", "10.1.2.3", "[::127.0.0.1]", "localhost"])
def test_a_proxy_is_not_asked_for_a_private_place(host: str, settings: Any) -> None:
    settings.DEMO, settings.OUTGOING_PROXY = False, "http://proxy.bank.example:3128"
    with pytest.raises(GatewayError) as refused:
        http.get("identity provider", f"https://{host}/keys", outside=True)
    assert (refused.value.reason, refused.value.retry) == ("the address is not a public one", False)
