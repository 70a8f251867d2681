"""What must never be false in the table."""

import pytest
from django.db import IntegrityError, transaction

from devices.models import Device, DeviceKey
from devices.states import TRANSITIONS, DeviceStatus, HeldBy
from devices.tests.factories import make_bank, make_customer, make_device, make_key

pytestmark = pytest.mark.django_db


def test_move_to_walks_every_pair_of_states() -> None:
    for before in DeviceStatus:
        for after in DeviceStatus:
            device = Device(status=before)
            if after in TRANSITIONS[before]:
                assert device.move_to(after) == before
                assert device.status == after
            else:
                with pytest.raises(Exception, match="cannot become"):
                    device.move_to(after)
                assert device.status == before


@pytest.mark.parametrize(
    "values",
    [
        {"status": "GONE"},
        {"status": DeviceStatus.BLOCKED},
        {"held_by": HeldBy.BANK},
        {"status": DeviceStatus.RETIRED},
        {"activated_at": None},
        {"category": "issued"},
        {"kind": "toaster"},
        {"external_id_sealed": ""},
        {"external_id_kind": "mac"},
        {"push_platform": "gcm"},
    ],
)
def test_the_table_refuses(values: dict[str, object]) -> None:
    device = make_device(make_customer(make_bank()))
    with pytest.raises(IntegrityError), transaction.atomic():
        Device.objects.filter(pk=device.pk).update(**values)


def test_one_key_is_of_one_device_and_a_device_has_one() -> None:
    ada = make_customer(make_bank())
    first, second = make_device(ada), make_device(ada)
    make_key(first, "a")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_key(second, "a")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_key(first, "b")


def test_a_key_that_proved_nothing_squats_nobodys_place() -> None:
    ada = make_customer(make_bank())
    make_key(make_device(ada), "a", proved=False)
    make_key(make_device(ada), "a")
    assert DeviceKey.objects.count() == 2


def test_sealed_columns_do_not_show_what_they_hold() -> None:
    make_device(make_customer(make_bank()), external_id="990000862471854", push_handle="secret-handle")
    row = str(Device.objects.values().get())
    assert "990000862471854" not in row
    assert "secret-handle" not in row
