"""A second person's yes is for the owner of the day on which it was asked for."""

import pytest

from devices.models import Device
from devices.operations.activation import deactivate_device
from devices.states import DeviceStatus, TransferState
from devices.tests.factories import make_customer, make_device, make_transfer
from portal.accounts.tests.people import signed_in
from portal.approvals.models import ApprovalPolicy
from portal.approvals.policy import DEFAULT_THRESHOLD
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import People, approve, ask, make_people
from portal.core import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    people = make_people()
    values = {"required": ["device.deactivate"], "bulk_threshold": DEFAULT_THRESHOLD, "updated_at": clock.now()}
    ApprovalPolicy.objects.create(bank=people.bank, **values)
    return people


@pytest.mark.parametrize("moved", [False, True])
def test_a_device_that_changed_hands_meanwhile_is_not_meant(people: People, moved: bool) -> None:
    phone = make_device(people.ada)
    request = ask(signed_in(people.bea), phone, operation=deactivate_device)
    bob = make_customer(people.bank, "Bob")
    if moved:
        make_transfer(phone, bob, TransferState.COMPLETED)
        Device.objects.filter(pk=phone.pk).update(owner=bob)

    closed = approve(people.avi, request)

    phone.refresh_from_db()
    if moved:
        assert (closed.state, closed.error_code) == (RequestState.FAILED, "not-found")
        assert phone.status == DeviceStatus.ACTIVE
    else:
        assert closed.state == RequestState.DONE
        assert phone.status == DeviceStatus.INACTIVE
