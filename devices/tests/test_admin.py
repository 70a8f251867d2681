"""Devices in the admin: corrections through operations, and the way to the portal for the rest."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_customer, make_device, make_key, make_staff
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.audit.models import AuditEvent
from portal.web.tests.helpers import signed_in_client

pytestmark = pytest.mark.django_db

LIST = "/admin/devices/device/"


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


@pytest.fixture
def bea(bank: Bank) -> Client:
    """An operator of Ada's bank, at the admin."""
    return signed_in_client(make_staff(bank))


def page_of(device: Device) -> str:
    return f"{LIST}{device.pk}/change/"


def send(client: Client, action: str, *devices: Device, **values: str) -> Any:
    ids = [str(device.pk) for device in devices]
    return client.post(LIST, {"action": action, ACTION_CHECKBOX_NAME: ids, **values}, follow=True)


def told(page: HttpResponse) -> list[str]:
    return [str(message) for message in page.context["messages"]]  # type: ignore[attr-defined]


def status_of(device: Device) -> str:
    return Device.objects.get(pk=device.pk).status


def events() -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("event", "code", "object_id"))


def test_descriptive_data_is_corrected_with_a_reason(bea: Client, ada: User) -> None:
    device = make_device(ada, nickname="Blue", model="IP-6S")
    answer = bea.post(page_of(device), {"nickname": "Blue", "model": "IP-6", "reason": "typed wrong"})
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    device.refresh_from_db()
    assert (device.model, device.nickname) == ("IP-6", "Blue")
    event = AuditEvent.objects.get()
    assert (event.event, event.channel, event.reason) == ("device.corrected", "admin", "typed wrong")
    assert event.data == '{"after":{"model":"IP-6"},"before":{"model":"IP-6S"}}'
    assert LogEntry.objects.count() == 0


def test_states_owners_and_keys_cannot_be_sent(bea: Client, ada: User) -> None:
    device = make_device(ada, DeviceStatus.PENDING)
    stranger = make_customer(ada.bank, "Cem")
    values = {"model": "IP-7", "status": "ACTIVE", "owner": str(stranger.pk), "held_by": "bank", "reason": "r"}
    bea.post(page_of(device), values)
    device.refresh_from_db()
    assert (device.model, device.status, device.owner_id, device.held_by) == ("IP-7", "PENDING", ada.pk, "")


def test_a_nickname_that_is_taken_stands_on_the_form(bea: Client, ada: User) -> None:
    make_device(ada, nickname="Blue")
    device = make_device(ada, nickname="Red")
    answer = bea.post(page_of(device), {"nickname": "blue", "model": "IP-6S", "reason": "r"})
    assert answer.status_code == 409
    form = answer.context["adminform"].form
    assert form.non_field_errors() == ["Another device of this customer has this nickname."]
    device.refresh_from_db()
    assert device.nickname == "Red"
    assert events() == [("request.refused", "nickname-not-unique", str(device.pk))]


def test_nothing_sealed_is_on_its_page(bea: Client, ada: User) -> None:
    device = make_device(ada, external_id="358240051111110", push_handle="push-handle-of-ada")
    key = make_key(device)
    page = bea.get(page_of(device)).content.decode()
    assert "IMEI ··1110" in page
    assert f"p256, {key.fingerprint[:16]}…, proved" in page
    for sealed in ("358240051111110", "push-handle-of-ada", device.external_id_index, device.external_id_sealed):
        assert sealed not in page


def test_another_banks_device_is_as_unknown(bea: Client) -> None:
    foreign = make_device(make_customer(make_bank()))
    assert bea.get(page_of(foreign)).status_code == 404
    assert bea.post(page_of(foreign), {"model": "x", "reason": "r"}).status_code == 404
    assert bea.get(f"{LIST}{uuid4()}/change/").status_code == 404
    assert bea.get(LIST).context["cl"].result_count == 0
    foreign.refresh_from_db()
    assert foreign.model == "IP-6S"
    assert events() == [("request.refused", "not-found", "")] * 3


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.APPROVER])
def test_whoever_may_only_look_corrects_nothing(bank: Bank, ada: User, role: Role) -> None:
    device = make_device(ada)
    client = signed_in_client(make_staff(bank, role))
    assert 'name="reason"' not in client.get(page_of(device)).content.decode()
    assert client.post(page_of(device), {"model": "x", "reason": "r"}).status_code == 403
    device.refresh_from_db()
    assert device.model == "IP-6S"
    assert events() == [("request.refused", "capability-missing", str(device.pk))]


@pytest.mark.parametrize("action", ["activate", "deactivate", "block"])
def test_states_are_not_changed_here_where_nobody_counts_the_devices(bea: Client, ada: User, action: str) -> None:
    """One post over many rows would go round the bank's limit for bulk steps."""
    devices = [make_device(ada, DeviceStatus.PENDING) for _ in range(11)]
    send(bea, action, *devices, reason="r")
    assert {status_of(device) for device in devices} == {"PENDING"}
    assert (AuditEvent.objects.count(), ApprovalRequest.objects.count()) == (0, 0)


def test_the_pages_lead_to_the_portal_instead(bea: Client, ada: User) -> None:
    device = make_device(ada)
    page = bea.get(LIST)
    assert page.context["action_form"] is None
    assert (
        f'<a href="{reverse("devices:list")}">Activate, deactivate or block in the portal</a>'
        in page.content.decode()
    )
    assert f'href="{reverse("devices:detail", args=[device.pk])}"' in bea.get(page_of(device)).content.decode()


@pytest.mark.parametrize("selected", [["no-id"], [""], ["\x00"], [str(UUID(int=n)) for n in range(101)]])
def test_what_is_no_selection_is_refused(bea: Client, selected: list[str]) -> None:
    assert bea.post(LIST, {"action": "block", ACTION_CHECKBOX_NAME: selected, "reason": "r"}).status_code == 422
    assert events() == [("request.refused", "bad-selection", "")]


def test_a_device_is_found_by_id_identifier_last_four_number_model_and_nickname(bea: Client, ada: User) -> None:
    device = make_device(ada, external_id="358240051111110", model="Pixel 9", nickname="Blue")
    make_device(make_customer(ada.bank, "Bob"), model="IP-6S")
    number = str(ada.customer_number)
    for text in (str(device.pk), device.public_id, "358240051111110", "1110", number, "pixel", "blue"):
        found = bea.get(LIST, {"q": text}).context["cl"].result_list
        assert list(found) == [device], text
    assert bea.get(LIST, {"q": "nothing"}).context["cl"].result_count == 0


def test_the_list_is_filtered_by_state_and_kind(bea: Client, ada: User) -> None:
    active = make_device(ada)
    card = make_device(ada, DeviceStatus.BLOCKED, kind="payment-card")
    assert list(bea.get(f"{LIST}?status=ACTIVE").context["cl"].result_list) == [active]
    assert list(bea.get(f"{LIST}?kind=payment-card&held_by=bank").context["cl"].result_list) == [card]
    assert bea.get(f"{LIST}?status=%00").context["cl"].result_count == 2
