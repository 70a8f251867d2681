"""Keys change while others read and write all the time, and nobody notices.

PORTAL_TEST_REKEY_ROWS scales it, and has the figures printed; the promise is 100,000.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connections

from devices.models import Device, ExternalIdKind
from devices.operations import registration
from devices.states import Category, DeviceStatus
from devices.tests.factories import customer_actor, make_bank, make_customer, make_device
from portal.accounts.models import User
from portal.core import clock
from portal.core.actor import Actor
from portal.keys import engine
from portal.keys.change import start_change
from portal.keys.models import KeyChange, Phase, StepKind
from portal.keys.standing import standing
from portal.keys.tests import rings
from portal.keys.tests.sealed_rows import handle, name

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROWS = int(os.environ.get("PORTAL_TEST_REKEY_ROWS", "600"))
CHUNK = 2000


def load(owner: User) -> None:
    """Very many devices, each with an external id and a push handle."""
    now = clock.now()
    for first in range(0, ROWS, CHUNK):
        made = []
        for number in range(first, min(first + CHUNK, ROWS)):
            device = Device(
                bank_id=owner.bank_id,
                owner=owner,
                status=DeviceStatus.ACTIVE,
                category=Category.OWNED,
                kind="mobile",
                registered_at=now,
                updated_at=now,
                activated_at=now,
            )
            device.set_external_id(ExternalIdKind.APP_ID, name(number))
            device.set_push_handle("gcm", handle(number), now)
            made.append(device)
        Device.objects.bulk_create(made)


class Traffic:
    """Threads that do the same thing again and again until they are stopped; what they did and what went wrong."""

    def __init__(self, *work: Callable[[int], None]) -> None:
        self.done: Counter[str] = Counter()
        self.wrong: list[BaseException] = []
        self._kinds = {one.__name__ for one in work}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in work]

    def _run(self, work: Callable[[int], None]) -> None:
        number = 0
        try:
            while not self._over.is_set():
                work(number)
                number += 1
                self.done[work.__name__] += 1
                time.sleep(0.002)
        except BaseException as error:  # noqa: BLE001  the test shows it
            self.wrong.append(error)
        finally:
            connections.close_all()

    def wait_for_all(self) -> None:
        """Until each kind of work was done once, or one went wrong."""
        while len(self.done) < len(self._kinds) and not self.wrong:
            time.sleep(0.002)

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_constant_readers_and_writers_notice_nothing() -> None:
    ada = make_customer(make_bank())
    with rings.before():
        load(ada)
    pks = dict(Device.objects.values_list("external_id_index", "pk"))
    assert len(pks) == ROWS
    handles: dict[int, str] = {}
    came: list[str] = []

    def read(number: int) -> None:
        wanted = random.randrange(ROWS)
        found = Device.objects.named_externally(ada.bank_id, name(wanted)).get()
        assert found.external_id == name(wanted)
        assert found.push_handle

    def write(number: int) -> None:
        """An app that tells its new push handle, through the operation."""
        wanted = number % min(ROWS, 50)
        registration.set_push_handle(
            actor=customer_actor(ada), device_id=name(wanted), platform="gcm", handle=f"renewed-{number}"
        )
        handles[wanted] = f"renewed-{number}"

    def register(number: int) -> None:
        make_device(ada, external_id=f"later_{number:06}")
        came.append(f"later_{number:06}")

    def register_twice(number: int) -> None:
        """What is there is never taken a second time, whatever the phase."""
        try:
            make_device(ada, external_id=name(random.randrange(ROWS)))
        except IntegrityError:
            return
        raise AssertionError("one external id stands on two devices")

    with rings.both():
        began = time.monotonic()
        with Traffic(read, read, write, register, register_twice) as traffic:
            start_change(actor=Actor.system("rotate_keys"))
            traffic.wait_for_all()
            assert not engine.run(float("inf"))
            took = time.monotonic() - began
        assert traffic.wrong == []
        found = standing()
    assert KeyChange.objects.get().phase == Phase.DONE
    assert found.droppable == ["PORTAL_SEALING_KEYS: t1", "PORTAL_INDEX_KEYS: i1"]
    assert found.stale
    assert not any(found.stale.values())
    steps = KeyChange.objects.get().steps.filter(place__startswith="devices.device.")
    written = sum(step.total if step.kind == StepKind.MOVE else step.changed for step in steps)  # its last pass: none

    with rings.after():
        for number in range(ROWS):
            device = Device.objects.named_externally(ada.bank_id, name(number)).get()
            assert device.external_id == name(number)
            assert device.push_handle == handles.get(number, handle(number))
        for one in came:
            assert Device.objects.named_externally(ada.bank_id, one).get().external_id == one
        for number in handles:
            with pytest.raises(IntegrityError):
                make_device(ada, external_id=name(number))
    if "PORTAL_TEST_REKEY_ROWS" in os.environ:
        print(  # noqa: T201  the figures are what such a run is for
            f"\n{ROWS:,} devices, {written:,} writes of two indexes and two sealed columns in {took:.1f} s: "
            f"{ROWS / took:,.0f} devices and {written / took:,.0f} writes a second "
            f"beside {dict(traffic.done)}; 0 errors"
        )
