"""Metrics for Prometheus: requests and refusals as they happen, queues when somebody looks.

With PROMETHEUS_MULTIPROC_DIR (a folder, empty at start) the counters of all web processes are added up.
"""

import ipaddress
import os
import time
from collections.abc import Callable, Iterator

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from portal import logs
from portal.queues import queue_health
from portal.requests import client_ip

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each first one
registry = CollectorRegistry()
requests_total = Counter("portal_requests", "Requests answered.", ["method", "route", "status"], registry=registry)
request_seconds = Histogram(
    "portal_request_seconds", "Time to answer.", ["method", "route"], registry=registry, buckets=BUCKETS
)
refusals_total = Counter("portal_refusals", "Refusals by rule.", ["dialect", "code"], registry=registry)


def count_refusal(dialect: str, code: str) -> None:
    """Count one refusal. `dialect`: the door; `code`: the rule's id, never a caller's text."""
    refusals_total.labels(dialect, code).inc()


class MetricsMiddleware:
    """Counts, times and logs each request by the name of its route. Stands outside everything that may answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        method = request.method if request.method in METHODS else "other"
        route = logs.route_of(request)
        requests_total.labels(method, route, str(response.status_code)).inc()
        request_seconds.labels(method, route).observe(seconds)
        logs.log_request(
            method=method or "other",
            route=route,
            status=response.status_code,
            milliseconds=seconds * 1000,
            actor=str(getattr(getattr(request, "actor", None), "kind", "anonymous")),
        )
        structlog.contextvars.unbind_contextvars("route")
        return response

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        """The route is known now: each later log line of this request names it."""
        structlog.contextvars.bind_contextvars(route=logs.route_of(request))


class QueueCollector(Collector):
    """The queues as they are in the database at the moment of the scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        waiting = GaugeMetricFamily("portal_queue_waiting", "Rows that wait.", labels=["queue"])
        oldest = GaugeMetricFamily("portal_queue_oldest_seconds", "Age of the oldest.", labels=["queue"])
        healthy = GaugeMetricFamily("portal_queue_healthy", "1 when all is well.", labels=["queue"])
        for queue in queue_health():
            waiting.add_metric([queue.name], queue.waiting)
            oldest.add_metric([queue.name], queue.oldest_age_seconds or 0.0)
            healthy.add_metric([queue.name], float(queue.ok))
        yield from (waiting, oldest, healthy)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The text Prometheus reads. Whoever calls from elsewhere than settings.METRICS_ALLOW finds no such page."""
    if not _may_read(client_ip(request)):
        raise Http404
    now = CollectorRegistry()
    now.register(QueueCollector())
    return HttpResponse(generate_latest(_counters()) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)


def _counters() -> CollectorRegistry:
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return registry
    everybody = CollectorRegistry()
    MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
    return everybody


def _may_read(address: str) -> bool:
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in network for network in settings.METRICS_ALLOW)
