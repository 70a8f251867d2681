"""The second index columns of a database that had none: filled, and written by code that knows the first only."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import F

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device

pytestmark = pytest.mark.django_db

BOTH = {"external_id_index_next": F("external_id_index"), "push_handle_index_next": F("push_handle_index")}
filling = import_module("devices.migrations.0004_fill_next_indexes")


def filled() -> None:
    filling.fill(apps, SimpleNamespace(connection=connection))


@pytest.mark.parametrize("batch", [1, 2, 5, 5000])
def test_every_row_is_filled_whatever_a_batch_holds(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "BATCH", batch)
    owner = make_customer(make_bank())
    for number in range(4):
        make_device(owner, external_id=f"device_{number}", push_handle=f"handle-{number}" if number % 2 else "")
    make_device(owner, external_id="")
    as_made = list(Device.objects.order_by("pk").values())
    Device.objects.update(**dict.fromkeys(BOTH, ""))
    filled()
    assert list(Device.objects.order_by("pk").values()) == as_made
    filled()
    assert Device.objects.filter(**BOTH).count() == 5


def test_code_that_knows_the_first_column_only_can_still_write() -> None:
    device = make_device(make_customer(make_bank()), external_id="device_first")
    old = [str(field.column) for field in Device._meta.concrete_fields if field.name not in BOTH]
    columns = ", ".join(map(connection.ops.quote_name, old))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM devices_device")
        Device.objects.all().delete()
        cursor.execute(f"INSERT INTO devices_device ({columns}) SELECT {columns} FROM kept")
        cursor.execute("DROP TABLE kept")
    row = Device.objects.get()
    assert (row.pk, row.external_id_index, row.external_id_index_next) == (device.pk, device.external_id_index, "")
    filled()
    assert Device.objects.filter(pk=device.pk, **BOTH).exists()
