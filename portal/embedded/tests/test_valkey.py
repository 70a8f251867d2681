import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal.embedded import processes, valkey
from portal.embedded.waiting import wait_until

pytestmark = pytest.mark.machine


@contextmanager
def running(address: Path, folder: Path) -> Iterator[processes.Process]:
    valkey.prepare(address, folder)
    process = processes.run_program(valkey.command(valkey.program(), address, folder))
    try:
        assert wait_until(lambda: valkey.answers(address), seconds=15)
        yield process
    finally:
        process.ask_to_stop()
        wait_until(process.ended, seconds=5)
        process.kill()


def ask(address: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(address))
        connection.sendall(line + b"\r\n")
        return connection.recv(4096)


def test_a_server_answers_only_at_its_socket_which_is_its_owners_alone(tmp_path: Path) -> None:
    address, folder = tmp_path / "run" / "s", tmp_path / "data"
    with running(address, folder) as process:
        assert stat.S_IMODE(address.stat().st_mode) == 0o700
        assert [stat.S_IMODE(path.stat().st_mode) for path in (address.parent, folder)] == [0o700, 0o700]
        assert ask(address, b"CONFIG GET port") == b"*2\r\n$4\r\nport\r\n$1\r\n0\r\n"
    assert process.code == 0
    assert not valkey.answers(address)


def test_what_was_kept_is_there_after_a_kill_and_a_new_start(tmp_path: Path) -> None:
    address, folder = tmp_path / "s", tmp_path / "data"
    with running(address, folder) as process:
        assert ask(address, b"SET colour green") == b"+OK\r\n"
        assert ask(address, b"WAITAOF 1 0 5000").startswith(b"*2\r\n:1\r\n")
        os.kill(process.pid, signal.SIGKILL)
        wait_until(process.ended, seconds=5)
        assert address.exists()  # left behind
    with running(address, folder):
        assert ask(address, b"GET colour") == b"$5\r\ngreen\r\n"


def test_a_server_that_lost_its_supervisor_is_shut_down_before_the_next_one(tmp_path: Path) -> None:
    address, folder = tmp_path / "s", tmp_path / "data"
    with running(address, folder) as left_behind:
        valkey.prepare(address, folder)
        assert wait_until(left_behind.ended, seconds=5)


def test_unreadable_data_is_moved_aside_once(tmp_path: Path) -> None:
    address, folder = tmp_path / "s", tmp_path / "data"
    with running(address, folder):
        pass
    for path in (folder / "appendonlydir").iterdir():
        path.write_bytes(b"garbage\n")
    broken = subprocess.run(valkey.command(valkey.program(), address, folder), check=False, timeout=15)
    assert broken.returncode != 0
    assert valkey.set_aside(folder)
    assert not valkey.set_aside(folder)
    assert (folder / "unreadable").is_dir()
    with running(address, folder):
        assert ask(address, b"DBSIZE") == b":0\r\n"


def test_a_socket_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        valkey.prepare(tmp_path / "link" / "s", tmp_path / "data")


def test_the_suites_own_server_answers(valkey_socket: Path) -> None:
    assert ask(valkey_socket, b"PING") == b"+PONG\r\n"
