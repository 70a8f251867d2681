"""The background worker with its clock: Celery, threads, beat. Also `python -m portal.embedded.jobs`."""

import os
import sys
import warnings

from celery.exceptions import SecurityWarning
from celery.signals import beat_embedded_init

from portal.embedded import leash


def main() -> None:
    """Work until SIGTERM, then finish what is under way. The clock runs in a child that ends with us."""
    os.umask(0o077)
    leash.name("portal-jobs")
    warnings.simplefilter("ignore", SecurityWarning)  # who runs the worker is for those who install the portal
    sys.argv = ["-m", __name__]  # what Celery runs again when it is told to reload (SIGHUP)
    from django.conf import settings

    from portal.celery import app

    parent = os.getpid()

    @beat_embedded_init.connect(weak=False)
    def tie_clock(**kwargs: object) -> None:
        leash.name("portal-clock")
        leash.tie(parent)

    run = settings.VAR / "run"
    run.mkdir(parents=True, exist_ok=True)
    worker = app.Worker(
        hostname=f"portal-{parent}@localhost",
        pool="threads",
        concurrency=settings.WORKER_THREADS,
        beat=True,
        schedule_filename=str(run / "beat-schedule"),
        loglevel="WARNING",
        quiet=True,
        redirect_stdouts=False,
        without_mingle=True,
        without_gossip=True,
    )
    worker.start()
    raise SystemExit(worker.exitcode)


if __name__ == "__main__":
    main()
