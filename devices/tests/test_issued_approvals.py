"""Issuing, replacing and importing where the bank wants a second person: what was asked for runs, unchanged."""

from datetime import timedelta
from typing import Any

import pytest

from devices.models import Device, IssuedDetails
from devices.operations import import_work
from devices.operations.imports import content_digest, discard_import, start_import, upload_import
from devices.operations.issued import issue_device
from devices.operations.issued_life import replace_device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_card, make_customer, make_staff
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.approvals.payloads import open_payload
from portal.approvals.registry import registered
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import approve
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import ApprovalRequired

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bank() -> Bank:
    bank = make_bank()
    ApprovalPolicy.objects.create(bank=bank, required=["device.issue"], bulk_threshold=10, updated_at=clock.now())
    return bank


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank, customer_number="C1")


@pytest.fixture
def bea(bank: Bank) -> User:
    return make_staff(bank, Role.OPERATOR, "Bea")


@pytest.fixture
def avi(bank: Bank) -> User:
    return make_staff(bank, Role.APPROVER, "Avi")


def last_day(days: int = 900) -> str:
    return (clock.now().date() + timedelta(days=days)).isoformat()


def ask(operation: Any, bea: User, **arguments: Any) -> ApprovalRequest:
    """One person asks, twice: the request is one."""
    for _ in range(2):
        with pytest.raises(ApprovalRequired):
            operation(actor=signed_in(bea), **arguments)
    return ApprovalRequest.objects.get()


def foreseen(avi: User, request: ApprovalRequest) -> list[tuple[int | None, str]]:
    known = registered(request.operation)
    assert known is not None
    return known.entry.preview(signed_in(avi), open_payload(request).arguments)


def test_an_approved_card_is_issued_as_it_was_asked_for(bank: Bank, ada: User, bea: User, avi: User) -> None:
    request = ask(
        issue_device,
        bea,
        customer_id="C1",
        kind="payment-card",
        reference="R-1",
        capabilities=["icc"],
        card_number="411111******1111",
        card_kind="debit-card",
        expires_on=last_day(),
        reason="At the counter",
    )
    assert open_payload(request).arguments["customer_id"] == ada.public_id
    assert foreseen(avi, request) == [(1, "payment card is issued to Ada (C1).")]
    assert Device.objects.count() == 0
    done = approve(avi, request)
    device = Device.objects.get()
    assert (done.state, done.result["device_id"]) == (RequestState.DONE, device.public_id)
    assert (device.owner, device.issued.reference, device.issued.capabilities) == (ada, "R-1", ["icc"])
    event = AuditEvent.objects.get(event="device.issued")
    assert event.actor_id == str(bea.pk)
    assert request.public_id in event.data


def test_an_approved_replacement_is_good_for_the_issuing_in_it(bank: Bank, ada: User, bea: User, avi: User) -> None:
    old = make_card(ada, reference="R-1")
    request = ask(
        replace_device, bea, device_id=str(old.pk), reference="R-2", expires_on=last_day(1500), reason="Worn out"
    )
    assert foreseen(avi, request)[0] == (None, f"{old} is out of use for good, and another is issued.")
    assert approve(avi, request).state == RequestState.DONE
    old.refresh_from_db()
    assert (old.status, IssuedDetails.objects.get(reference="R-2").replaces) == (DeviceStatus.RETIRED, old)


def test_an_approved_import_runs(bank: Bank, ada: User, bea: User, avi: User) -> None:
    data = b"customer-number,kind,reference\nC1,otp-token,T1\nC1,otp-token,T2\n"
    run = upload_import(actor=signed_in(bea), file_name="tokens.csv", data=data)
    request = ask(start_import, bea, run_id=str(run.pk), digest=content_digest(run), reason="New stock")
    assert foreseen(avi, request)[0][0] == 2
    assert import_work.sweep() == 0
    done = approve(avi, request)
    assert (done.state, done.result["state"]) == (RequestState.DONE, "WAITING")
    assert import_work.sweep() == 1
    assert Device.objects.filter(owner=ada, kind="otp-token").count() == 2
    run.refresh_from_db()
    assert (run.state, run.started_by) == ("DONE", bea)


def test_a_file_that_was_discarded_meanwhile_is_not_imported(bank: Bank, ada: User, bea: User, avi: User) -> None:
    data = b"customer-number,kind,reference\nC1,otp-token,T1\n"
    run = upload_import(actor=signed_in(bea), file_name="tokens.csv", data=data)
    request = ask(start_import, bea, run_id=str(run.pk), digest=content_digest(run), reason="New stock")
    discard_import(actor=signed_in(bea), run_id=str(run.pk))
    done = approve(avi, request)
    assert (done.state, done.error_code) == (RequestState.FAILED, "import-over")
    assert Device.objects.count() == 0
