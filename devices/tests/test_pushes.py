"""Push messages to an owner's other devices, and handles that their service knows no more."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db import transaction

from devices.models import Device, Kind
from devices.operations import pushes
from devices.operations.loss import report_lost
from devices.operations.pushes import push_to_owner
from devices.states import DeviceStatus
from devices.tests.factories import customer_actor, make_bank, make_customer, make_device
from portal import vault
from portal.accounts.models import User
from portal.core import clock
from portal.outbox import operations
from portal.outbox.gateways import GatewayError, Outgoing, RecipientGone
from portal.outbox.models import Message, MessageState

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank())


def recipients() -> list[str]:
    messages = Message.objects.filter(kind="push").order_by("id")
    return [vault.unseal(operations.RECIPIENT, message.pk, message.recipient_sealed) for message in messages]


def push(ada: User, about: Device) -> int:
    with transaction.atomic():
        return push_to_owner(ada, about, template="device-lost", title="A device was reported lost")


def test_the_owners_other_active_devices_with_a_handle_are_told(ada: User) -> None:
    lost = make_device(ada, push_handle="lost")
    make_device(ada, push_handle="one")
    apple = make_device(ada, kind=Kind.TABLET)
    apple.set_push_handle("apns", "00ff", clock.now() + timedelta(days=1))
    apple.save()
    make_device(ada)
    make_device(ada, DeviceStatus.BLOCKED, push_handle="blocked")
    make_device(ada, DeviceStatus.RETIRED, push_handle="retired")
    Device.objects.filter(pk=make_device(ada, push_handle="lapsed").pk).update(push_expires_at=clock.now())
    make_device(make_customer(ada.bank, "Bea"), push_handle="bea")
    assert push(ada, lost) == 2
    assert sorted(recipients()) == ["apns:00ff", "gcm:one"]
    message = Message.objects.order_by("id")[0]
    assert (message.subject, message.template) == ("A device was reported lost", "device-lost")
    assert (message.about_type, message.about_id) == ("device", str(lost.pk))
    assert vault.unseal(operations.BODY, message.pk, message.body_sealed) == lost.label


def test_those_heard_of_last_come_first_and_ten_are_enough(ada: User) -> None:
    about = make_device(ada)
    now = clock.now()
    for number in range(12):
        make_device(ada, push_handle=f"h{number}", last_activity_at=now - timedelta(minutes=number))
    assert push(ada, about) == 10
    assert recipients() == [f"gcm:h{number}" for number in range(10)]


def test_a_service_that_is_not_set_up_gets_no_message(ada: User, settings: LazySettings) -> None:
    settings.DEMO = False
    make_device(ada, push_handle="one")
    assert push(ada, make_device(ada)) == 0
    assert not Message.objects.exists()


def test_a_lost_device_is_told_to_the_others_even_without_a_contact_on_file(ada: User) -> None:
    lost = make_device(ada, push_handle="lost")
    make_device(ada, push_handle="one")
    for _ in range(2):
        report_lost(actor=customer_actor(ada), device_id=str(lost.pk), reason="Left in a train")
    assert recipients() == ["gcm:one"]


class Gone:
    """A push service that knows nobody."""

    def __init__(self, since: datetime | None = None) -> None:
        self.since = since

    def send(self, message: Outgoing) -> None:
        raise RecipientGone("FCM answered 404 UNREGISTERED", since=self.since)


def written(ada: User) -> Message:
    push(ada, make_device(ada))
    return Message.objects.get()


def test_a_dead_handle_is_forgotten_and_its_message_given_up(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = make_device(ada, push_handle="one")
    message = written(ada)
    monkeypatch.setattr(operations, "gateway_for", lambda kind: Gone())
    assert operations.deliver(message.pk) == MessageState.FAILED
    phone.refresh_from_db()
    message.refresh_from_db()
    assert (phone.push_platform, message.last_error) == ("", "FCM answered 404 UNREGISTERED")
    assert push(ada, make_device(ada)) == 0


def test_a_handle_registered_since_is_kept(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = make_device(ada, push_handle="one")
    message = written(ada)
    monkeypatch.setattr(operations, "gateway_for", lambda kind: Gone(datetime(2020, 1, 1, tzinfo=UTC)))
    assert operations.deliver(message.pk) == MessageState.FAILED
    phone.refresh_from_db()
    assert phone.push_handle == "one"


def test_a_worker_that_dies_in_between_forgets_it_at_the_next_try(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = make_device(ada, push_handle="one")
    message = written(ada)
    monkeypatch.setattr(operations, "gateway_for", lambda kind: Gone())

    def dies(*args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(operations, "tell_gone", dies)
        with pytest.raises(SystemExit):
            operations.deliver(message.pk)
    Message.objects.update(next_try_at=clock.now())
    assert operations.deliver(message.pk) == MessageState.FAILED
    phone.refresh_from_db()
    assert phone.push_platform == ""


def test_other_failures_leave_the_handle(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        def send(self, message: Outgoing) -> None:
            raise GatewayError("FCM answered 503", retry=True)

    phone = make_device(ada, push_handle="one")
    message = written(ada)
    monkeypatch.setattr(operations, "gateway_for", lambda kind: Busy())
    assert operations.deliver(message.pk) == MessageState.PENDING
    phone.refresh_from_db()
    assert phone.push_handle == "one"


def test_a_recipient_is_read_as_it_was_written(ada: User) -> None:
    phone = make_device(ada, push_handle="with:a:colon")
    pushes.forget_recipient(ada.bank_id, "gcm:with:a:colon", None)
    phone.refresh_from_db()
    assert phone.push_platform == ""
