"""Fixtures for the whole suite. Those of one topic stand with that topic and are listed in PLUGINS."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.embedded import processes, valkey
from portal.embedded.waiting import wait_until

PLUGINS = ("portal.audit.testing",)
pytest_plugins = [name for name in PLUGINS if importlib.util.find_spec(name)]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NO_CHROMIUM = "no Chromium on PATH (PORTAL_CHROMIUM can name one)"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's folder, when the suite made it (a worker leaves that to the process that started it)."""
    made_here = Path(os.environ.get("PORTAL_VAR", "")).name == f"portal-tests-{os.getpid()}"
    if made_here and not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["PORTAL_VAR"], ignore_errors=True)


def _find_chromium() -> str | None:
    named = os.environ.get("PORTAL_CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, CHROMIUM)), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip browser tests where there is no Chromium. PORTAL_REQUIRE_BROWSER=1 lets them fail instead."""
    if _find_chromium() or os.environ.get("PORTAL_REQUIRE_BROWSER") == "1":
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that starts. For tests marked `browser`."""
    path = _find_chromium()
    if path is None:
        pytest.fail(NO_CHROMIUM)
    subprocess.run([path, "--version"], check=True, capture_output=True, timeout=60)
    return path


@pytest.fixture(scope="session")
def valkey_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a private Valkey server that lives as long as the session. Empty it before use (`FLUSHALL`)."""
    folder = tmp_path_factory.mktemp("valkey")
    address = folder / "s"
    valkey.prepare(address, folder)
    process = processes.run_program(valkey.command(valkey.program(), address, folder))
    try:
        assert wait_until(lambda: valkey.answers(address), seconds=15), "Valkey did not start"
        yield address
    finally:
        process.ask_to_stop()
        wait_until(process.ended, seconds=5)
        process.kill()
