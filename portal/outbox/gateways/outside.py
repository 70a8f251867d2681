"""Calls of addresses that people have typed in: they reach public addresses only, whatever a name resolves to.

A name is resolved once, and the connection goes to the very address that was looked at: a name that changes its mind
in between changes nothing. The certificate is still checked against the name.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

from portal.outbox.gateways.base import GatewayError

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 2.1: an IPv4 address in its last 32 bits
_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")  # RFC 4291 2.4: the rest is for other uses, or not given out yet
_HEXADECIMAL: Final = re.compile("0x[0-9a-f]*")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Pinned:
    """A call's address with its host replaced. host: as `Host` says it. name: whose certificate is asked for."""

    url: str
    host: str
    name: str


def pinned(url: str) -> Pinned:
    """The address with the host's own address in it. Raises GatewayError where that may not be called."""
    parts = urlsplit(url)
    name, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    address = next((found for found in _resolved(name, port) if may_be_called(found)), None)
    if address is None:
        raise GatewayError("the address is not a public one", retry=False)
    there = f"[{address}]" if address.version == 6 else str(address)
    return Pinned(urlunsplit(parts._replace(netloc=f"{there}:{port}")), parts.netloc, name)


def is_address(url: str) -> bool:
    """Whether we would call this: https, or anything on this machine in the demo. No name, no password in it.

    What a host's name resolves to is looked at when it is called, each time.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # one that is none is no number either
        local = settings.DEMO and parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and not parts.fragment and "@" not in parts.netloc
    if not plain or not parts.hostname or names_a_private_place(parts.hostname):
        return False
    return parts.scheme == "https" or local


def names_a_private_place(host: str) -> bool:
    """Whether a host is spelled as an address that may not be called. What a name means is asked at each call.

    Where a proxy asks, this is all that is looked at here.
    """
    try:
        return not may_be_called(ipaddress.ip_address(host))
    except ValueError:
        return _names_this_machine(host) and not settings.DEMO


def _names_this_machine(host: str) -> bool:
    """`localhost` (RFC 6761 6.3), or a number that resolvers take for an address: 127.1, 0x7f.1, 2130706433.

    No top-level domain is a number, so whatever ends in one is no name: the URL standard's "ends in a number".
    """
    last = host.lower().removesuffix(".").rpartition(".")[2]
    return last == "localhost" or last.isdigit() or _HEXADECIMAL.fullmatch(last) is not None


def may_be_called(address: Address) -> bool:
    """Public, in one of `INSIDE_NETWORKS`, or this machine in the demo."""
    address = _meant(address)
    if any(address in network for network in settings.INSIDE_NETWORKS) or (settings.DEMO and address.is_loopback):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL:
        return False
    return address.is_global and not address.is_multicast


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _resolved(name: str, port: int) -> Iterator[Address]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise GatewayError("the name of the address is not known", retry=True) from None
    for *_, place in found:
        yield ipaddress.ip_address(str(place[0]).partition("%")[0])
