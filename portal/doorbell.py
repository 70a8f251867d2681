"""Rings the workers through Celery's broker. The only sender that leaves the process.

Its connections have short time-outs of their own: a request may wait for a dead broker, but not for long. The
worker's connections (settings.CELERY_BROKER_TRANSPORT_OPTIONS) are patient.
"""

from functools import cache

from kombu import Connection
from kombu.exceptions import KombuError
from kombu.pools import producers

from portal.celery import app
from portal.core.errors import Unavailable

PATIENCE = 0.2  # seconds to connect, and again for the answer
IMPATIENT = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
    "max_retries": 0,  # without it the library tries for ever
    "interval_start": 0,
}


@cache
def _connection() -> Connection:
    return app.connection_for_write(transport_options=IMPATIENT, connect_timeout=PATIENCE)


def _troubles() -> tuple[type[BaseException], ...]:
    connection = _connection()
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)


def send(name: str, pk: str) -> None:
    """Send the task `name` with one argument, the row's id. Raises Unavailable within 0.3 seconds."""
    try:
        with producers[_connection()].acquire(block=True, timeout=PATIENCE) as producer:
            app.send_task(name, args=[pk], producer=producer, retry=False, ignore_result=True)
    except _troubles() as error:
        raise Unavailable("The broker does not answer.", code="broker-unavailable") from error


def answers() -> bool:
    """Whether the broker takes a connection right now."""
    try:
        with _connection().clone() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            return bool(connection.connected)
    except _troubles():
        return False
