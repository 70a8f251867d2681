"""Customers and devices with sealed columns, and a look at all of them."""

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device
from portal import vault
from portal.accounts.models import User
from portal.accounts.operations.people import PHONE, contact_of


def people(count: int = 3) -> list[Device]:
    """Customers with a phone, each with a device that is found by its external id and its push handle."""
    bank, made = make_bank(), []
    for number in range(count):
        owner = make_customer(bank)
        owner.phone_sealed = vault.seal(PHONE, owner.pk, phone(number))
        owner.save(update_fields=["phone_sealed"])
        made.append(make_device(owner, external_id=name(number), push_handle=handle(number)))
    return made


def phone(number: int) -> str:
    return f"+3816{number:08}"


def name(number: int) -> str:
    return f"device_{number:06}"


def handle(number: int) -> str:
    return f"push-handle-{number:06}"


def reads(device: Device, number: int) -> None:
    """What is looked up, and what is opened."""
    found = Device.objects.named_externally(device.bank_id, name(number)).select_related("owner").get()
    assert found.pk == device.pk
    assert (found.external_id, found.push_handle) == (name(number), handle(number))
    assert contact_of(User.objects.get(pk=device.owner_id)).phone == phone(number)


def all_reads(devices: list[Device]) -> None:
    for number, device in enumerate(devices):
        reads(device, number)
