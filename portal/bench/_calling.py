"""Calls of the portal in this process, as a web server makes them, and how long they take."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test.utils import CaptureQueriesContext

BORDERS: Final = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")


@dataclass(frozen=True)
class Asked:
    """A call, ready to be made again and again."""

    method: str
    path: str
    token: str
    query: str = ""
    body: bytes = b""

    def environ(self) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "QUERY_STRING": self.query,
            "CONTENT_TYPE": "application/json" if self.body else "",
            "CONTENT_LENGTH": str(len(self.body)) if self.body else "",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "443",
            "HTTP_HOST": "127.0.0.1",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "https",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.input": BytesIO(self.body),
        }


def get(path: str, token: str, **query: object) -> Asked:
    return Asked("GET", path, token, query=urlencode(query))


def post(path: str, token: str, body: object) -> Asked:
    return Asked("POST", path, token, body=json.dumps(body).encode())


class Portal:
    """The whole portal behind its middleware, called in this thread."""

    def __init__(self) -> None:
        self._handler = WSGIHandler()

    def call(self, asked: Asked, *, status: int = 200) -> tuple[float, bytes]:
        """Seconds by the clock, and the answer's body. Raises AssertionError for any other status."""
        told: list[str] = []

        def start(line: str, *rest: object) -> Callable[[bytes], object]:
            told.append(line)
            return bytes

        environ = asked.environ()
        begin = time.perf_counter()
        response = self._handler(environ, start)
        data = b"".join(response)
        taken = time.perf_counter() - begin
        response.close()
        if not told[0].startswith(str(status)):
            raise AssertionError(f"{asked.path} answered {told[0]}: {data[:200]!r}")
        return taken, data

    def statements(self, asked: Asked, *, status: int = 200) -> list[str]:
        """The SQL of one call, without the borders of transactions."""
        with CaptureQueriesContext(connection) as captured:
            self.call(asked, status=status)
        return [query["sql"] for query in captured if not query["sql"].lstrip().upper().startswith(BORDERS)]


@dataclass(frozen=True)
class Times:
    """Of many calls of one kind, in seconds."""

    taken: Sequence[float]

    @property
    def p50(self) -> float:
        return median(self.taken)

    @property
    def p95(self) -> float:
        return sorted(self.taken)[math.ceil(len(self.taken) * 0.95) - 1]

    def __str__(self) -> str:
        return f"p50 {self.p50 * 1000:.2f} ms, p95 {self.p95 * 1000:.2f} ms"
