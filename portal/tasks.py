"""Tasks that no app owns."""

import socket

from celery import shared_task
from celery.signals import setup_logging, worker_ready
from django.db import connections

from portal import cleaning, jobs


@shared_task(name="portal.beat")
def beat() -> None:
    """Show that this host's worker takes tasks."""
    jobs.note_worker(socket.gethostname())


@shared_task(name="portal.clean")
def clean() -> None:
    """Delete what nobody needs any more; the first node to ask does it."""
    if jobs.claim_slot("portal.clean", 600):
        cleaning.clean()


@worker_ready.connect
def show_at_start(**kwargs: object) -> None:
    """A worker that has just started is seen at once, not at the clock's next beat."""
    jobs.note_worker(socket.gethostname())
    connections.close_all()


@setup_logging.connect
def leave_logging_alone(**kwargs: object) -> None:
    """Celery sets up no logging of its own where somebody answers this signal: its lines are JSON like all others."""
