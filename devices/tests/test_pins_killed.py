"""A real web process that is killed in the midst of a PIN change: the try stays counted."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from devices.models import Device, DevicePin
from devices.operations.pins import change_pin
from devices.tests.factories import make_application, make_device, make_pin, make_token
from devices.tests.pin_server import COUNTED, STEPS
from devices.tests.pinning import NEXT, PIN, WRONG, bearer, events, make_owner, pin_is
from portal.core.errors import Locked
from portal.embedded.ports import responds
from portal.embedded.processes import kill_group
from portal.embedded.waiting import wait_until
from portal.tests.test_up import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def phone() -> Device:
    device = make_device(make_owner())
    make_pin(device)
    return device


@contextlib.contextmanager
def stopping_server(step: str, folder: Path) -> Iterator[tuple[int, Path]]:
    """A server that stops at a step. Gives its port and the file that says so; then it is killed with all it has."""
    port, mark = free_port(), folder / "stopped"
    environment = {
        **os.environ,
        "PIN_TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "PIN_TEST_STEP": step,
        "PIN_TEST_MARK": str(mark),
    }
    line = [sys.executable, "-m", "devices.tests.pin_server", str(port)]
    server = subprocess.Popen(line, env=environment, start_new_session=True)
    try:
        assert wait_until(lambda: responds("127.0.0.1", port, "/healthz", server_name="localhost"), seconds=60), (
            "the server did not start"
        )
        yield port, mark
    finally:
        kill_group(server.pid)
        server.wait()


def try_wrong_and_kill(device: Device, step: str, folder: Path) -> None:
    token = make_token(user=device.owner, device=device, application=make_application(device.bank))
    body = {"deviceId": device.public_id, "currentPin": WRONG, "newPin": NEXT, "confirmNewPin": NEXT}

    def call(port: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(client):
            client.request("POST", "/v1/device/pin/change", json.dumps(body), {"Authorization": f"Bearer {token}"})
            client.getresponse()

    with stopping_server(step, folder) as (port, mark):
        caller = threading.Thread(target=call, args=(port,))
        caller.start()
        assert wait_until(mark.exists, seconds=60), "the call did not come as far"
    caller.join()


@pytest.mark.parametrize("step", list(STEPS))
def test_a_try_is_counted_once_its_pin_may_have_been_looked_at(step: str, phone: Device, tmp_path: Path) -> None:
    try_wrong_and_kill(phone, step, tmp_path)
    pin = DevicePin.objects.get()
    assert (pin.failures, pin.locked_at) == (int(step in COUNTED), None)
    assert pin_is(phone, PIN)
    wrong = [("pin.refused", "refused", "pin-wrong")] if step == "after-settle" else []
    assert events() == wrong


def test_a_server_killed_at_the_fifth_try_leaves_the_pin_locked(phone: Device, tmp_path: Path) -> None:
    DevicePin.objects.update(failures=4)
    try_wrong_and_kill(phone, "before-hash", tmp_path)
    assert DevicePin.objects.get().failures == 5
    with pytest.raises(Locked):
        change_pin(actor=bearer(phone), device_id=str(phone.pk), current_pin=PIN, new_pin=NEXT, confirm_new_pin=NEXT)
    assert pin_is(phone, PIN)
