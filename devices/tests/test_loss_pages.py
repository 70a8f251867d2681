"""The pages that say that a device is lost, and the cards of its page."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from devices.models import Device, DevicePin, IssuedDetails, PinReset
from devices.operations.loss import report_lost
from devices.states import DeviceStatus
from devices.tests.factories import (
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
)
from devices.tests.life import approve, hang_everything_on, make_fingerprint, make_transfer
from portal import vault
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalPolicy
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.outbox.models import Message
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    ada = make_customer(bank)
    ada.phone_sealed = vault.seal("user.phone", ada.pk, "+12025550143")
    ada.save()
    return ada


@pytest.fixture
def bea(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank))


def url(device: Device, step: str = "") -> str:
    return f"/devices/{device.pk}" + (f"/{step}" if step else "")


def told(client: Client, device: Device) -> list[str]:
    return [str(message) for message in client.get(url(device)).context["messages"]]


def offered(client: Client, device: Device) -> dict[str, str]:
    return {step["name"]: step["label"] for step in client.get(url(device)).context["actions"] if step["allowed"]}


def test_the_preview_counts_what_the_report_then_ends(bea: Client, ada: User) -> None:
    device = make_device(ada)
    hang_everything_on(device)
    preview = bea.get(url(device, "report-lost")).context["preview"]
    assert preview == [
        {"count": 2, "text": "open sessions are ended"},
        {"count": 1, "text": "open transfer is cancelled"},
        {"count": 1, "text": "PIN reset on its way is voided"},
        {"count": 1, "text": "PIN is removed"},
        {"count": 1, "text": "link to a phrase is cut"},
    ]
    answer = bea.post(url(device, "report-lost"), {"reason": "Left in a taxi"})
    assert (answer.status_code, answer["Location"]) == (302, url(device))
    assert told(bea, device) == [
        "The device was reported lost and blocked. What ended: 2 open sessions are ended, "
        "1 open transfer is cancelled, 1 PIN reset on its way is voided, 1 PIN is removed, 1 link to a phrase is cut."
    ]


def test_a_lost_device_shows_how_long_it_can_be_undone(bea: Client, ada: User) -> None:
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    page = bea.get(url(device)).content.decode()
    assert "Two people can undo the report until" in page
    assert offered(bea, device) == {"undo-loss": "Ask to undo the loss report"}
    with time_machine.travel(clock.now() + timedelta(hours=25)):
        late = signed_in_client(make_staff(ada.bank))
        assert "The report is final since" in late.get(url(device)).content.decode()
        assert offered(late, device) == {}


def test_undoing_is_asked_for_and_not_offered_twice(bea: Client, ada: User) -> None:
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    form = bea.get(url(device, "undo-loss"))
    assert (form.status_code, form.context["asks"]) == (200, "A loss report is undone by two people.")
    says = f"{device} may use banking services again. Ended sessions stay ended, and its PIN is gone."
    assert form.context["preview"] == [{"count": None, "text": says}]
    answer = bea.post(url(device, "undo-loss"), {"reason": "Found in the sofa"})
    assert (answer.status_code, answer["Location"]) == (302, url(device))
    assert refusals() == []
    assert offered(bea, device) == {}
    assert [entry["mine"] for entry in bea.get(url(device)).context["waiting"]] == [True]
    approve()
    device.refresh_from_db()
    assert device.is_active
    assert offered(bea, device).keys() == {"deactivate", "block", "report-lost"}


def test_a_repeat_says_that_nothing_changed(bea: Client, ada: User) -> None:
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    bea.post(url(device, "report-lost"), {"reason": "She called too"})
    assert told(bea, device) == ["Nothing has changed: the device was reported lost already."]
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("step", ["report-lost", "undo-loss", "reset-pin"])
def test_a_step_without_the_right_changes_nothing(bank: Bank, ada: User, step: str) -> None:
    device = make_device(ada)
    client = signed_in_client(make_staff(bank, Role.AUDITOR))
    data = {"reason": "Please", "method": "SMS"}
    for answer in (client.get(url(device, step)), client.post(url(device, step), data)):
        assert answer.status_code == 403
    device.refresh_from_db()
    assert (device.status, device.lost_at) == (DeviceStatus.ACTIVE, None)
    assert [(code, about) for _, code, _, about in refusals()] == [("capability-missing", str(device.pk))] * 2


@pytest.mark.parametrize("step", ["report-lost", "undo-loss", "reset-pin"])
def test_a_foreign_device_is_as_unknown(bea: Client, step: str) -> None:
    foreign = make_device(make_customer(make_bank()))
    for answer in (bea.get(url(foreign, step)), bea.post(url(foreign, step), {"reason": "Mine", "method": "SMS"})):
        assert answer.status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found"] * 2


@pytest.mark.parametrize("step", ["report-lost", "reset-pin"])
def test_a_form_without_a_reason_is_shown_again(bea: Client, ada: User, step: str) -> None:
    device = make_device(ada)
    hang_everything_on(device)
    answer = bea.post(url(device, step), {"reason": " ", "method": "SMS"})
    assert answer.status_code == 422
    assert "This is required." in answer.content.decode()
    assert [code for _, code, _, _ in refusals()] == ["invalid-input"]


def test_a_loss_that_is_final_is_said_on_the_form(ada: User) -> None:
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    with time_machine.travel(clock.now() + timedelta(hours=25)):
        bea = signed_in_client(make_staff(ada.bank))
        answer = bea.post(url(device, "undo-loss"), {"reason": "Found"})
        assert answer.status_code == 409
        assert "A loss report can be undone for 24 hours." in answer.content.decode()
    assert [(code, about) for _, code, _, about in refusals()] == [("loss-final", str(device.pk))]


def test_what_the_bank_wants_two_people_for_is_asked_for(bea: Client, ada: User, bank: Bank) -> None:
    ApprovalPolicy.objects.create(
        bank=bank, required=["device.deactivate"], bulk_threshold=10, updated_at=clock.now()
    )
    device = make_device(ada)
    assert offered(bea, device)["deactivate"] == "Ask to deactivate"
    assert bea.get(url(device, "deactivate")).context["asks"] == "Your bank wants a second person for this."
    bea.post(url(device, "deactivate"), {"reason": "Odd"})
    device.refresh_from_db()
    assert device.is_active
    approve()
    device.refresh_from_db()
    assert device.status == DeviceStatus.INACTIVE


# The cards


def test_the_pin_card_tells_its_state_and_starts_a_reset(bea: Client, ada: User) -> None:
    device = make_device(ada)
    assert bea.get(url(device)).context["pin"]["mark"] == "no-pin"
    now = clock.now()
    DevicePin.objects.create(
        device=device, digest="digest", failures=5, locked_at=now, created_at=now, changed_at=now
    )
    card = bea.get(url(device)).context["pin"]
    assert (card["mark"], card["tries_left"], card["reset"]) == ("pin-locked", 0, None)
    assert card["reset_url"] == url(device, "reset-pin")

    form = bea.get(url(device, "reset-pin"))
    assert [choice[0] for choice in form.context["form"].fields["method"].choices] == ["SMS"]
    answer = bea.post(url(device, "reset-pin"), {"method": "SMS", "reason": "Forgot it"})
    assert (answer.status_code, answer["Location"]) == (302, url(device))
    assert PinReset.objects.get().started_by is not None
    assert Message.objects.get().kind == "sms"
    card = bea.get(url(device)).context["pin"]
    assert (card["reset"]["method"], card["reset"]["by"], card["reset"]["tries_left"]) == ("SMS", "Bea", 5)


def test_a_way_without_a_contact_is_not_on_the_list(bea: Client, ada: User) -> None:
    device = make_device(ada)
    hang_everything_on(device)
    answer = bea.post(url(device, "reset-pin"), {"method": "EMAIL", "reason": "Forgot it"})
    assert answer.status_code == 422
    assert PinReset.objects.count() == 1  # the one that was there
    nobody = make_device(make_customer(ada.bank, "Cem"))
    hang_everything_on(nobody)
    card = bea.get(url(nobody)).context["pin"]
    assert (card["reset_url"], card["barred"]) == ("", "No contact of the owner is on file.")


def test_cards_and_tokens_show_what_was_issued_and_no_pin(bea: Client, ada: User) -> None:
    card = make_device(ada, kind="payment-card", external_id="")
    IssuedDetails.objects.create(
        device=card, bank=card.bank, reference="REF-1", number_start="411111", number_end="1111", card_brand="Visa"
    )
    answer = bea.get(url(card))
    assert answer.context["issued"]["number"] == "411111••••••1111"
    assert [answer.context[name] for name in ("pin", "transfer_card", "fingerprints")] == [None, None, None]
    assert "411111••••••1111" in answer.content.decode()


def test_the_page_shows_the_transfer_and_the_fingerprints(bea: Client, ada: User) -> None:
    device = make_device(ada)
    transfer = make_transfer(device, make_customer(ada.bank, "Cem"))
    make_fingerprint(device)
    answer = bea.get(url(device))
    assert answer.context["transfer_card"]["open"]["public_id"] == transfer.public_id
    assert [one["application"] for one in answer.context["fingerprints"]] == ["Harbour"]
    assert answer.context["issued"] is None


@pytest.mark.parametrize("many", [1, 30])
def test_the_page_costs_the_same_however_much_there_is(bea: Client, ada: User, many: int) -> None:
    device = make_device(ada)
    hang_everything_on(device, sessions=many)
    for number in range(many):
        make_fingerprint(device, f"{number:064x}")
        bea.post(url(device, "deactivate"), {"reason": "off"})
        bea.post(url(device, "activate"), {"reason": "on"})
    bea.get(url(device))
    with at_most(17):
        bea.get(url(device))


def test_a_lost_device_is_told_in_the_list_too(bea: Client, ada: User) -> None:
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    (row,) = bea.get("/devices").context["devices"]
    assert (row["lost"], row["status"]) == (True, "BLOCKED")
    event = AuditEvent.objects.get(event="device.lost")
    assert json.loads(event.data)["before"] == {"held_by": "", "lost": False, "status": "ACTIVE"}
