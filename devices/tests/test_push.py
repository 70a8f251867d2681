"""Where push messages go, when the push service knows it no more."""

from datetime import timedelta

import pytest

from devices.models import Device
from devices.operations.push import PUSH_LIFETIME, forget_push_handle
from devices.operations.registration import set_push_handle
from devices.states import DeviceStatus
from devices.tests.factories import bank_actor, customer_actor, make_bank, make_customer, make_device
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank())


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, push_handle="handle-1")


def system(user: User) -> Actor:
    return Actor.system("outbox.deliver", bank_id=user.bank_id)


def test_a_dead_handle_is_forgotten_with_one_event(ada: User, phone: Device) -> None:
    assert forget_push_handle(actor=system(ada), platform="gcm", handle="handle-1") == phone
    phone.refresh_from_db()
    assert (phone.push_platform, phone.push_handle_sealed, phone.push_handle_index) == ("", "", "")
    assert phone.push_expires_at is None
    event = AuditEvent.objects.get()
    assert (event.event, event.actor_id, event.object_id) == ("device.updated", "outbox.deliver", str(phone.pk))
    assert event.data == '{"after":{"push_platform":""},"before":{"push_platform":"gcm"}}'
    assert forget_push_handle(actor=system(ada), platform="gcm", handle="handle-1") is None
    assert AuditEvent.objects.count() == 1


def test_a_handle_that_is_not_there_is_left_alone(ada: User, phone: Device) -> None:
    other = make_device(make_customer(make_bank(), "Cem"), push_handle="handle-1")
    make_device(ada, DeviceStatus.RETIRED, push_handle="handle-2")
    rows = list(Device.objects.order_by("pk").values())
    for platform, handle in [("apns", "handle-1"), ("gcm", "handle-2"), ("gcm", "unknown")]:
        assert forget_push_handle(actor=system(ada), platform=platform, handle=handle) is None
    assert list(Device.objects.order_by("pk").values()) == rows
    forget_push_handle(actor=system(ada), platform="gcm", handle="handle-1")
    other.refresh_from_db()
    assert other.push_handle == "handle-1"


def test_a_handle_that_was_registered_again_since_stays(ada: User, phone: Device) -> None:
    dead_since = clock.now() - timedelta(hours=1)
    set_push_handle(actor=customer_actor(ada), device_id=str(phone.pk), platform="gcm", handle="handle-1")
    assert forget_push_handle(actor=system(ada), platform="gcm", handle="handle-1", since=dead_since) is None
    assert forget_push_handle(actor=system(ada), platform="gcm", handle="handle-1", since=clock.now()) == phone


def test_only_our_own_work_forgets(ada: User, phone: Device) -> None:
    for actor in (customer_actor(ada), bank_actor(ada.bank)):
        with pytest.raises(Forbidden):
            forget_push_handle(actor=actor, platform="gcm", handle="handle-1")
    with pytest.raises(ValueError, match="one bank"):
        forget_push_handle(actor=Actor.system("outbox.deliver"), platform="gcm", handle="handle-1")
    phone.refresh_from_db()
    assert phone.push_handle == "handle-1"


def test_the_same_handle_again_is_written_down_once_a_day(ada: User, phone: Device) -> None:
    for _ in range(2):
        set_push_handle(actor=customer_actor(ada), device_id=str(phone.pk), platform="gcm", handle="handle-1")
        phone.refresh_from_db()
    assert phone.push_expires_at is not None
    assert phone.push_expires_at > clock.now() + PUSH_LIFETIME - timedelta(minutes=1)
    assert AuditEvent.objects.count() == 0
