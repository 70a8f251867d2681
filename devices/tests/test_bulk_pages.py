"""The pages of a step over many devices."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from devices.models import BulkRun, Device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, make_token
from devices.tests.life import approve
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


@pytest.fixture
def bea(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank))


def tried(client: Client, step: str, devices: list[Device]) -> Any:
    """As the list's form sends it."""
    return client.post("/devices/bulk", {"step": step, "device": [device.public_id for device in devices]})


def sent(answer: Any, reason: str = "Recall") -> dict[str, Any]:
    """What the form of a trial sends when its button is pressed."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.content.decode())
    data: dict[str, Any] = {name: [value for other, value in fields if other == name] for name, _ in fields}
    return data | {"reason": reason}


def tiles(answer: Any, name: str) -> dict[str, int]:
    return {tile["label"]: tile["value"] for tile in answer.context[name]["tiles"]}


def test_the_list_offers_boxes_to_tick_to_who_may_take_a_step(bea: Client, ada: User, bank: Bank) -> None:
    device = make_device(ada)
    page = bea.get("/devices")
    assert [step["name"] for step in page.context["bulk"]] == ["activate", "deactivate", "block"]
    assert f'<input type="checkbox" name="device" value="{device.public_id}"' in " ".join(
        page.content.decode().split()
    )
    support = signed_in_client(make_staff(bank, Role.SUPPORT)).get("/devices")
    assert support.context["bulk"] == []
    assert 'type="checkbox"' not in support.content.decode()


def test_a_trial_changes_nothing_and_the_step_does_what_it_said(bea: Client, ada: User) -> None:
    devices = [make_device(ada), make_device(ada, DeviceStatus.INACTIVE), make_device(ada, DeviceStatus.RETIRED)]
    make_token(user=ada, device=devices[0])
    trial = tried(bea, "deactivate", devices)
    assert trial.status_code == 200
    assert tiles(trial, "trial") == {"Would change": 1, "So already": 1, "Refused": 1}
    assert trial.context["trial"]["ends"] == [{"count": 1, "text": "open session is ended"}]
    assert not AuditEvent.objects.exists()

    answer = bea.post("/devices/bulk/take", sent(trial))
    run = BulkRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/devices/bulk/{run.pk}")
    result = bea.get(answer["Location"])
    assert tiles(result, "run") == {"Changed": 1, "So already": 1, "Refused": 1}
    assert result.context["run"]["ends"] == trial.context["trial"]["ends"]
    assert "A device that is retired cannot become inactive." in result.content.decode()
    devices[0].refresh_from_db()
    assert devices[0].status == DeviceStatus.INACTIVE


def test_sending_the_form_twice_takes_the_step_once(bea: Client, ada: User) -> None:
    data = sent(tried(bea, "block", [make_device(ada)]))
    first, second = bea.post("/devices/bulk/take", data), bea.post("/devices/bulk/take", data)
    assert first["Location"] == second["Location"]
    assert (BulkRun.objects.count(), AuditEvent.objects.count()) == (1, 2)


def test_a_pasted_list_takes_any_spelling(bea: Client, ada: User) -> None:
    devices = [make_device(ada), make_device(ada)]
    assert bea.get("/devices/bulk").status_code == 200
    pasted = f"{devices[0].public_id}\r\n{devices[1].pk}\n"
    trial = bea.post("/devices/bulk", {"step": "block", "devices": pasted})
    assert tiles(trial, "trial")["Would change"] == 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"step": "block"}, "Choose at least one device."),
        ({"step": "block", "devices": "352099001769876"}, "Devices are named by DEV_… or by UUID here."),
        ({"step": "block", "devices": "\n".join(str(uuid4()) for _ in range(201))}, "At most 200 devices at once."),
    ],
)
def test_a_selection_that_cannot_be_read_is_said_on_the_form(bea: Client, data: dict[str, str], says: str) -> None:
    answer = bea.post("/devices/bulk", data)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert len(refusals()) == 1


def test_a_step_that_nobody_knows_is_said_on_the_form(bea: Client, ada: User) -> None:
    answer = tried(bea, "retire", [make_device(ada)])
    assert answer.status_code == 422
    assert "Select a valid choice" in answer.content.decode()


def test_a_step_without_a_reason_is_tried_again_with_the_same_run(bea: Client, ada: User) -> None:
    trial = tried(bea, "block", [make_device(ada)])
    data = sent(trial, reason=" ")
    answer = bea.post("/devices/bulk/take", data)
    assert answer.status_code == 422
    assert "This is required." in answer.content.decode()
    assert sent(answer)["run_id"] == data["run_id"]
    assert [code for _, code, _, _ in refusals()] == ["invalid-input"]
    assert not BulkRun.objects.exists()


def test_what_was_sent_without_a_trial_goes_back_to_the_start(bea: Client) -> None:
    answer = bea.post("/devices/bulk/take", {"reason": "Recall"})
    assert (answer.status_code, answer["Location"]) == (302, "/devices/bulk")
    assert not BulkRun.objects.exists()


def test_above_the_threshold_it_is_asked_for(bea: Client, ada: User, bank: Bank) -> None:
    ApprovalPolicy.objects.create(bank=bank, required=[], bulk_threshold=1, updated_at=clock.now())
    devices = [make_device(ada), make_device(ada)]
    trial = tried(bea, "block", devices)
    assert trial.context["trial"]["asks"] == "A bulk step over more than 1 devices takes a second person."
    answer = bea.post("/devices/bulk/take", sent(trial))
    request = ApprovalRequest.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/approvals/{request.public_id}")
    assert refusals() == []
    # While it waits, the run's own address leads to the request; then to what came of it.
    waiting = bea.get(f"/devices/bulk/{request.object_id}")
    assert waiting["Location"] == f"/approvals/{request.public_id}"
    approve()
    assert tiles(bea.get(f"/devices/bulk/{request.object_id}"), "run")["Changed"] == 2


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.ADMINISTRATOR])
def test_who_may_take_no_step_gets_none_of_the_pages(bank: Bank, ada: User, role: str) -> None:
    device = make_device(ada)
    client = signed_in_client(make_staff(bank, role))
    data = {"run_id": str(uuid4()), "step": "block", "device": str(device.pk), "reason": "Recall"}
    answers = [
        client.get("/devices/bulk"),
        tried(client, "block", [device]),
        client.post("/devices/bulk/take", data),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"] * 3
    device.refresh_from_db()
    assert device.is_active


def test_another_banks_run_is_as_unknown(bea: Client) -> None:
    elsewhere = make_bank()
    cem = signed_in_client(make_staff(elsewhere, name="Cem"))
    cem.post("/devices/bulk/take", sent(tried(cem, "block", [make_device(make_customer(elsewhere))])))
    foreign = BulkRun.objects.get()
    for key in (foreign.pk, uuid4()):
        assert bea.get(f"/devices/bulk/{key}").status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found"] * 2


def test_hostile_names_are_text(bea: Client, ada: User) -> None:
    hostile = "<script>alert(1)</script>"
    ada.name = hostile
    ada.save()
    trial = tried(bea, "block", [make_device(ada, model=hostile)])
    result = bea.get(bea.post("/devices/bulk/take", sent(trial))["Location"])
    for page in (trial, result):
        assert hostile not in page.content.decode()
        assert "&lt;script&gt;" in page.content.decode()


@pytest.mark.parametrize("count", [2, 100])
def test_trial_and_result_cost_the_same_for_many(bea: Client, ada: User, bank: Bank, count: int) -> None:
    ApprovalPolicy.objects.create(bank=bank, required=[], bulk_threshold=200, updated_at=clock.now())
    devices = [make_device(ada) for _ in range(count)]
    bea.get("/devices/bulk")
    with at_most(12):
        trial = tried(bea, "block", devices)
    address = bea.post("/devices/bulk/take", sent(trial))["Location"]
    bea.get(address)
    with at_most(9):
        bea.get(address)
