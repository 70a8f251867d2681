import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from portal import metrics
from portal.env import Environment
from portal.outbox.tests.factories import make_message


def fine(request: HttpRequest, device: str = "") -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("metrics", metrics.metrics, name="metrics"),
    path("v1/fine/<str:device>", include(([path("", fine, name="status")], "asseco"))),
    path("v1/nameless", fine),
]


@pytest.fixture
def client(settings: LazySettings) -> Client:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["portal.requests.RequestContextMiddleware", "portal.metrics.MetricsMiddleware"]
    return Client(REMOTE_ADDR="127.0.0.1")


def counted(method: str, route: str, status: str) -> float:
    labels = {"method": method, "route": route, "status": status}
    return metrics.registry.get_sample_value("portal_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "address", "route", "status"),
    [
        ("GET", "/v1/fine/351756051523999", "asseco:status", "200"),
        ("GET", "/v1/nameless", f"{__name__}.fine", "200"),
        ("GET", "/nowhere?oauth_token=secret", "none", "404"),
        ("BREW", "/v1/fine/351756051523999", "asseco:status", "200"),
    ],
)
def test_a_request_is_counted_by_the_name_of_its_route(
    client: Client, method: str, address: str, route: str, status: str
) -> None:
    label = method if method == "GET" else "other"
    before = counted(label, route, status)
    client.generic(method, address)
    assert counted(label, route, status) == before + 1
    histogram = metrics.registry.get_sample_value("portal_request_seconds_count", {"method": label, "route": route})
    assert histogram
    assert histogram >= 1


def test_a_refusal_is_counted_by_dialect_and_rule() -> None:
    labels = {"dialect": "asseco", "code": "needs-second-person"}
    before = metrics.registry.get_sample_value("portal_refusals_total", labels) or 0.0
    metrics.count_refusal("asseco", "needs-second-person")
    assert metrics.registry.get_sample_value("portal_refusals_total", labels) == before + 1


@pytest.mark.django_db
def test_the_page_tells_counters_and_queues_and_nothing_of_a_path(client: Client) -> None:
    make_message()
    client.get("/v1/fine/351756051523999?oauth_token=geheim")
    response = client.get("/metrics")
    text = response.content.decode()
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    assert 'portal_requests_total{method="GET",route="asseco:status",status="200"}' in text
    assert 'portal_queue_waiting{queue="outbox"} 1.0' in text
    assert 'portal_queue_healthy{queue="worker"} 0.0' in text
    for hidden in ["351756051523999", "geheim", "/v1", "python_info", sys.version.split()[0]]:
        assert hidden not in text


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 404), ("10.1.2.3", 200), ("", 404)])
def test_the_page_is_there_for_the_networks_in_the_settings_only(
    client: Client, settings: LazySettings, address: str, status: int
) -> None:
    settings.DEMO = False
    settings.METRICS_ALLOW = Environment({"N": "10.0.0.0/8"}).networks("N")
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


PROCESS = """
import os, sys
sys.path.insert(0, os.environ["PORTAL_ROOT"])
import django
django.setup()
from portal import metrics
metrics.count_refusal("asseco", "unauthorized")
from prometheus_client import generate_latest
print(generate_latest(metrics._counters()).decode())
"""


def test_the_counters_of_several_processes_are_added_up(tmp_path: Path) -> None:
    from portal.settings import BASE_DIR

    counters = tmp_path / "counters"
    counters.mkdir()
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(counters),
        "PORTAL_ROOT": str(BASE_DIR),
        "PORTAL_VAR": str(tmp_path / uuid4().hex),
    }
    command = [sys.executable, "-c", PROCESS]
    runs = [subprocess.run(command, env=environment, check=True, capture_output=True, text=True) for _ in range(2)]
    assert 'portal_refusals_total{code="unauthorized",dialect="asseco"} 2.0' in runs[1].stdout
