"""Is the process alive, and does everything it needs work?"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal import doorbell, indexes
from portal.queues import QueueHealth, audit_health, lists_health, outbox_health, worker_health

PATIENCE = 1.0  # seconds for all probes together; they run side by side


@dataclass(frozen=True)
class Verdict:
    """What a probe found. `facts`: plain numbers and words for the answer; no host, version or secret."""

    ok: bool
    facts: Mapping[str, object] = field(default_factory=dict)


class Probe:
    """Asks in a thread of its own, so that the caller can stop waiting. One question at a time, even if it hangs."""

    def __init__(self, ask: Callable[[], Verdict]) -> None:
        self._ask = ask
        self._guard = threading.Lock()
        self._answered: threading.Event | None = None
        self._verdict = Verdict(False)

    def start(self) -> None:
        """Ask, unless the last question is still open."""
        with self._guard:
            if self._answered is None or self._answered.is_set():
                self._answered = threading.Event()
                threading.Thread(target=self._run, args=(self._answered,), daemon=True).start()

    def verdict(self, seconds: float) -> Verdict:
        """The answer to the last question; "no answer in time" after `seconds`."""
        answered = self._answered
        if answered is None or not answered.wait(max(0.0, seconds)):
            return Verdict(False, {"problem": "no answer in time"})
        return self._verdict

    def _run(self, answered: threading.Event) -> None:
        try:
            self._verdict = self._ask()
        except Exception as error:  # noqa: BLE001  each part fails in its own way, and all mean no
            self._verdict = Verdict(False, {"problem": type(error).__name__})
        finally:
            connections.close_all()
            answered.set()


def _database() -> Verdict:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Verdict(True)


class Migrations:
    """Whether every migration of this code is applied. Asked until the first yes: a process never loses one."""

    def __init__(self) -> None:
        self._done = False

    def __call__(self) -> Verdict:
        if not self._done:
            executor = MigrationExecutor(connection)
            missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
            if missing:
                return Verdict(False, {"missing": missing})
            self._done = True
        return Verdict(True)


def _cache() -> Verdict:
    cache.set("readyz", 1, timeout=10)
    return Verdict(cache.get("readyz") == 1)


def _broker() -> Verdict:
    return Verdict(doorbell.answers())


def _queue(health: QueueHealth) -> Verdict:
    facts: dict[str, object] = {"waiting": health.waiting}
    if health.oldest_age_seconds is not None:
        facts["oldest_seconds"] = round(health.oldest_age_seconds)
    if health.note:
        facts["problem"] = health.note
    return Verdict(health.ok, facts)


def _index_keys() -> Verdict:
    """Whether this process has the index keys that count. Without them it finds nothing, and writes what is there."""
    missing = indexes.missing_keys()
    return Verdict(not missing, {"missing": missing} if missing else {})


def _worker() -> Verdict:
    health = worker_health()
    age = health.oldest_age_seconds
    return Verdict(health.ok, {"seen_seconds_ago": None if age is None else round(age)})


def _outbox() -> Verdict:
    waiting, failed = outbox_health()
    verdict = _queue(waiting)
    return Verdict(verdict.ok and failed.ok, {**verdict.facts, "failed": failed.waiting})


NEEDED = {
    "database": Probe(_database),
    "migrations": Probe(Migrations()),
    "index_keys": Probe(_index_keys),
    "cache": Probe(_cache),
    "broker": Probe(_broker),
    "worker": Probe(_worker),
    "audit": Probe(lambda: _queue(audit_health())),
}
# Messages that do not leave and lists that are late are somebody's work, but no reason to send callers away.
TOLD = {"outbox": Probe(_outbox), "crl": Probe(lambda: _queue(lists_health()))}


def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers. Asks nothing else, so that a dead database does not restart the web server."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when everything needed works, else 503; each part with its facts. Takes about a second at most."""
    probes = NEEDED | TOLD
    for probe in probes.values():
        probe.start()
    deadline = time.monotonic() + PATIENCE
    verdicts = {name: probe.verdict(deadline - time.monotonic()) for name, probe in probes.items()}
    ready = all(verdicts[name].ok for name in NEEDED)
    checks = {name: {"ok": verdict.ok, **verdict.facts} for name, verdict in verdicts.items()}
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)
