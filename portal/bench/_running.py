"""A whole portal that runs for a benchmark, with demo data, in a folder of its own; and who calls it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
START: Final = 120.0  # seconds that a portal may take to start


@contextmanager
def running_portal(folder: Path, **more: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """A portal with demo data that runs in a folder of its own: its port, and what `demo.json` says.

    more: variables of its environment.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "PROMETHEUS_"))}
    environment = {**own, "PORTAL_VAR": str(folder / "var"), "PORT": str(port), **more}
    log = folder / "log"
    with log.open("w") as output:
        line = [sys.executable, "manage.py", "up"]
        portal = subprocess.Popen(line, cwd=ROOT, env=environment, stdout=output, stderr=output)  # noqa: S603  ours
    try:
        _wait(lambda: "The portal is ready" in log.read_text() or portal.poll() is not None)
        if portal.poll() is not None:
            raise RuntimeError(f"the portal did not start: {log.read_text()[-500:]}")
        yield port, json.loads((folder / "var" / "demo.json").read_text())
    finally:
        portal.send_signal(signal.SIGTERM)
        portal.wait(30)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the portal did not start in time")
        time.sleep(0.1)


class Caller:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def close(self) -> None:
        self._client.close()

    def call(self, method: str, path: str, token: str, body: object = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._client.request(method, path, json.dumps(body) if body else None, headers)
        answer = self._client.getresponse()
        return answer.status, answer.read()

    def must(self, path: str, token: str, body: object) -> dict[str, Any]:
        status, data = self.call("POST", path, token, body)
        if status >= 300:
            raise RuntimeError(f"{path} answered {status}: {data[:200]!r}")
        return dict(json.loads(data or b"{}"))
