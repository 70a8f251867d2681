"""Looking at addresses: is one free, does a server answer there?"""

import http.client
import os
import socket


class AddressTaken(Exception):
    """Nobody can listen at the address. The text says why."""


def require_free(host: str, port: int) -> None:
    """Raise AddressTaken when `port` at `host` cannot be listened at now."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections just closed do not count
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise AddressTaken(os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)) from None


def reachable(host: str) -> str:
    """Where to reach, from here, a server that listens at `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  compared, not bound


def responds(host: str, port: int, path: str, *, server_name: str) -> bool:
    """Does the server answer 200 to a GET of `path` within two seconds?"""
    connection = http.client.HTTPConnection(reachable(host), port, timeout=2)
    try:
        connection.request("GET", path, headers={"Host": server_name})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
