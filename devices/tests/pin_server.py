"""A web server of the tests' own that stops in the midst of a PIN change: `python -m devices.tests.pin_server PORT`.

PIN_TEST_DATABASE: the database's name. PIN_TEST_STEP: where it stops, a key of `STEPS`. PIN_TEST_MARK: a file that
is made when it has stopped there; then somebody kills it.
"""

import importlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings


def application() -> Callable[..., Any]:
    """The portal's WSGI application on the tests' database, with a fault point in it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.test_settings")
    settings.DATABASES["default"]["NAME"] = os.environ["PIN_TEST_DATABASE"]
    django.setup(set_prefix=False)
    from django.core.wsgi import get_wsgi_application

    _set_fault(os.environ["PIN_TEST_STEP"])
    return get_wsgi_application()


def _stop() -> None:
    Path(os.environ["PIN_TEST_MARK"]).touch()
    threading.Event().wait()


def _stop_before(function: Callable[..., Any]) -> Callable[..., Any]:
    def stopped(*args: Any, **kwargs: Any) -> Any:
        _stop()
        return function(*args, **kwargs)

    return stopped


def _stop_after(function: Callable[..., Any]) -> Callable[..., Any]:
    def stopped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        _stop()
        return result

    return stopped


# Step → module, function, and whether the server stops before or after it.
STEPS: Final = {
    "before-reserve": ("devices.operations.pins", "_reserve", _stop_before),
    "in-reserve": ("devices.operations.pins", "_Try", _stop_before),  # the try is counted, and not committed
    "before-hash": ("devices.operations.pin_digests", "check_pin", _stop_before),
    "after-hash": ("devices.operations.pin_digests", "check_pin", _stop_after),
    "in-settle": ("portal.audit.log", "record_refusal", _stop_after),  # the refusal is written, and not committed
    "after-settle": ("devices.operations.pins", "_refused", _stop_after),
}
COUNTED: Final = ("before-hash", "after-hash", "in-settle", "after-settle")


def _set_fault(step: str) -> None:
    module_name, name, stop = STEPS[step]
    module = importlib.import_module(module_name)
    setattr(module, name, stop(getattr(module, name)))


def main(port: int) -> None:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    Server(
        f"{__spec__.name}:application",
        factory=True,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=8,
        log_level=LogLevels.error,
    ).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
