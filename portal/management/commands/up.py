"""`manage.py up`: the whole portal in one command, until Ctrl-C."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from portal.checks import require_safe_settings
from portal.embedded import ports, processes, valkey, welcome
from portal.embedded.runlock import AlreadyRunning, RunLock
from portal.embedded.supervisor import GaveUp, Service, Supervisor
from portal.embedded.waiting import wait_until

READY_SECONDS = 30.0  # for the web server's first answer
VALKEY_SECONDS = 15.0  # for Valkey to load what it kept


class CannotStart(Exception):
    """One line for the person at the terminal."""


class Command(BaseCommand):
    help = (
        "Runs the portal: migrates, makes the demo's data, starts Valkey, the web server and the background worker."
    )
    requires_system_checks = []  # what matters is checked below, one line each

    def handle(self, *args: object, **options: object) -> None:
        """Returns after Ctrl-C or SIGTERM; leaves with code 1 and one line when the portal cannot run."""
        os.umask(0o077)
        require_safe_settings()
        supervisor = Supervisor(self.note)
        _on_stop_signals(_interrupt)
        try:
            self.start(supervisor)
            supervisor.watch()
        except KeyboardInterrupt:
            self.note("stopping")
        except (CannotStart, GaveUp) as problem:
            self.leave(str(problem))
        finally:
            _on_stop_signals(signal.SIG_IGN)  # it is under way, and has a time limit
            supervisor.stop()

    def start(self, supervisor: Supervisor) -> None:
        """Everything up to the greeting. Raises CannotStart."""
        run = _private_folder(settings.VAR / "run")
        _take(RunLock(run / "up.lock"))
        _require_port()
        if settings.EMBEDDED_VALKEY:
            _start_valkey(supervisor, run / "valkey")
        _prepare_database()
        if settings.DEMO:
            _make_demo()
        else:
            call_command("collectstatic", interactive=False, verbosity=0)
        _share_counters(run / "counters")
        _start_modules(supervisor)
        _wait_for_web(supervisor)
        demo_file = settings.VAR / "demo.json" if settings.DEMO else None
        for line in welcome.lines(settings.BASE_URL, demo_file):
            self.stdout.write(line)
        self.stdout.flush()

    def note(self, line: str) -> None:
        self.stderr.write(f"portal: {line}", str)  # plain: it is news as often as trouble

    def leave(self, line: str) -> NoReturn:
        self.note(line)
        sys.exit(1)


def _on_stop_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, handler)


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _private_folder(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / f"probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        what = f"{path} cannot be written ({error.strerror})"
        raise CannotStart(f"{what}; set PORTAL_VAR to another folder") from None
    return path


def _take(lock: RunLock) -> None:
    try:
        lock.take()
    except AlreadyRunning as other:
        what = f"it runs already in {settings.VAR} ({other})"
        raise CannotStart(f"{what}; stop that, or set PORTAL_VAR") from None


def _require_port() -> None:
    try:
        ports.require_free(settings.BIND, settings.PORT)
    except ports.AddressTaken as reason:
        where = f"{settings.BIND}:{settings.PORT}"
        raise CannotStart(f"cannot listen at {where} ({reason}); choose another port with PORT=8001") from None


def _start_valkey(supervisor: Supervisor, folder: Path) -> None:
    address = settings.VALKEY_SOCKET
    try:
        server = valkey.program()
        valkey.prepare(address, folder)
    except (valkey.ValkeyMissing, OSError) as error:
        raise CannotStart(f"Valkey cannot start: {error}") from None

    def start() -> processes.Process:
        return processes.run_program(valkey.command(server, address, folder))

    service = Service("Valkey", start, stage=0, seconds_to_stop=3)
    supervisor.start(service)
    if not _valkey_came_up(service) and supervisor.ended() and valkey.set_aside(folder):
        service.launch()  # what it kept was unreadable; that may be lost, the work is rows in the database
        _valkey_came_up(service)
    if not valkey.answers(address):
        raise CannotStart(f"Valkey did not start; {folder / 'valkey.log'} says why")


def _valkey_came_up(service: Service) -> bool:
    wait_until(lambda: service.ended() or valkey.answers(settings.VALKEY_SOCKET), seconds=VALKEY_SECONDS)
    return not service.ended()


def _prepare_database() -> None:
    """Bring the tables up to date. A second start finds nothing to do and skips the slow part of `migrate`."""
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
    except DatabaseError as error:
        raise CannotStart(f"the database cannot be used: {str(error).strip().splitlines()[0]}") from None


def _make_demo() -> None:
    from portal.demo import DemoRefused, ensure_demo

    try:
        ensure_demo(output=settings.VAR / "demo.json")
    except DemoRefused as refusal:
        raise CannotStart(str(refusal)) from None


def _share_counters(folder: Path) -> None:
    """Let /metrics add up what all web processes counted, whichever of them answers. A start begins at zero."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        shutil.rmtree(folder, ignore_errors=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_private_folder(folder))


def _start_modules(supervisor: Supervisor) -> None:
    supervisor.start(Service("the web server", _run("portal.embedded.web"), stage=1, seconds_to_stop=6))
    supervisor.start(Service("the worker", _run("portal.embedded.jobs"), stage=1, seconds_to_stop=6))


def _run(module: str) -> Callable[[], processes.Process]:
    def start() -> processes.Process:
        _let_go_of_database()  # a fork must not share connections, nor carry a pool's threads
        return processes.run_module(module)

    return start


def _let_go_of_database() -> None:
    connections.close_all()
    for one in connections.all(initialized_only=True):
        if hasattr(one, "close_pool"):
            one.close_pool()


def _wait_for_web(supervisor: Supervisor) -> None:
    """Until the web server answers. Raises CannotStart when it, or anything else, ended first."""
    name = (settings.ALLOWED_HOSTS or ["localhost"])[0].lstrip(".")
    answered = wait_until(
        lambda: (
            supervisor.ended() is not None
            or ports.responds(settings.BIND, settings.PORT, "/healthz", server_name=name)
        ),
        seconds=READY_SECONDS,
    )
    if (service := supervisor.ended()) is not None:
        raise CannotStart(f"{service.name} ended while it was starting")
    if not answered:
        raise CannotStart(f"the web server gave no answer in {READY_SECONDS:.0f} s")
