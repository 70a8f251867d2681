"""The web server: Granian in front of the portal's WSGI application. Also `python -m portal.embedded.web`."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from functools import partial

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from portal.embedded import leash

HEADER_BYTES = 64 * 1024  # of one request's line and headers together
HEADER_MILLISECONDS = 10_000  # to send them in
STOP_SECONDS = 4  # for requests under way when the server is asked to stop


def main() -> None:
    """Serve until SIGTERM. Everything is loaded before the workers part, so they share it and start at once."""
    os.umask(0o077)
    leash.name("portal-web")
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
    from django.conf import settings
    from django.urls import get_resolver

    import portal.wsgi  # noqa: F401  leaves with one line when a setting is broken

    get_resolver().url_patterns  # noqa: B018  the addresses, and with them every view
    Server(
        "portal.wsgi:application",
        address=settings.BIND,
        port=settings.PORT,
        interface=Interfaces.WSGI,
        workers=settings.WEB_WORKERS,
        blocking_threads=settings.WEB_THREADS,
        backlog=1024,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEADER_BYTES),
        log_level=LogLevels.error,  # its warnings are advice about the number of threads
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    ).serve(target_loader=partial(load, os.getpid()), wrap_loader=False)


def load(server: int) -> Callable[..., object]:
    """The application, in a worker of the process `server`. A worker does not outlive its server."""
    leash.tie(server)
    from portal.wsgi import application

    return application


if __name__ == "__main__":
    main()
