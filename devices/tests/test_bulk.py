"""One step over many devices."""

import json
from uuid import uuid4

import pytest

from devices.models import BulkRun, Device
from devices.operations.activation import deactivate_device
from devices.operations.bulk import switch_many
from devices.operations.bulk_trial import Trial, try_many
from devices.operations.loss import report_lost
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
    staff_actor,
)
from devices.tests.life import approve, hang_everything_on
from portal.accounts.models import AccessToken, Bank, User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Conflict, Forbidden, InvalidInput
from portal.tests.threads import race

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


@pytest.fixture
def bea(bank: Bank) -> Actor:
    return staff_actor(make_staff(bank))


def run(actor: Actor, step: str, devices: list[Device], run_id: str = "", reason: str = "Recall") -> BulkRun:
    ids = [str(device.pk) for device in devices]
    return switch_many(actor=actor, run_id=run_id or str(uuid4()), step=step, device_ids=ids, reason=reason)


def tried(actor: Actor, step: str, devices: list[Device]) -> Trial:
    return try_many(actor, step=step, device_ids=[str(device.pk) for device in devices])


def states() -> dict[str, tuple[str, str]]:
    return {str(pk): (status, held) for pk, status, held in Device.objects.values_list("pk", "status", "held_by")}


def threshold(bank: Bank, number: int, *required: str) -> None:
    ApprovalPolicy.objects.create(bank=bank, bulk_threshold=number, required=list(required), updated_at=clock.now())


def cast(ada: User) -> list[Device]:
    """A device in every state that a step can meet."""
    lost = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(lost.pk))
    return [
        make_device(ada, DeviceStatus.PENDING),
        make_device(ada, DeviceStatus.ACTIVE),
        make_device(ada, DeviceStatus.INACTIVE),
        make_device(ada, DeviceStatus.INACTIVE, held_by=HeldBy.OWNER),
        make_device(ada, DeviceStatus.BLOCKED, held_by=HeldBy.OWNER),
        make_device(ada, DeviceStatus.RETIRED),
        lost,
    ]


@pytest.mark.parametrize(
    ("step", "outcomes"),
    [
        ("activate", "changed already changed changed changed refused refused"),
        ("deactivate", "refused changed already changed refused refused refused"),
        ("block", "changed changed changed changed changed refused already"),
    ],
)
def test_the_trial_says_what_the_run_then_does(ada: User, bea: Actor, step: str, outcomes: str) -> None:
    devices = cast(ada)
    for device in devices[:3]:
        make_token(user=ada, device=device)
    before = states()
    trial = tried(bea, step, devices)
    assert states() == before
    done = run(bea, step, devices)

    assert [line.outcome for line in trial.lines] == outcomes.split()
    assert done.outcomes == [line.entry for line in trial.lines]
    assert sum(done.ended.values()) == sum(trial.ended.counts.values())
    changed = {str(device.pk) for device, line in zip(devices, trial.lines, strict=True) if line.outcome == "changed"}
    assert {pk for pk, state in states().items() if state != before[pk]} == changed


def test_what_ends_is_counted_over_all_of_them(ada: User, bea: Actor) -> None:
    devices = [make_device(ada) for _ in range(3)]
    for device in devices[:2]:
        hang_everything_on(device)
    make_token(user=ada, device=devices[2])
    trial = tried(bea, "deactivate", devices)
    assert trial.ended.counts == {
        "sessions": 5,
        "transfers": 2,
        "two_factor": 0,
        "pin_resets": 2,
        "certificates_held": 0,
    }
    assert run(bea, "deactivate", devices).ended == trial.ended.counts
    assert AccessToken.objects.live().filter(device__in=devices).count() == 0


def test_each_device_has_its_event_and_the_run_has_one(ada: User, bea: Actor) -> None:
    devices = [make_device(ada), make_device(ada), make_device(ada, DeviceStatus.RETIRED)]
    done = run(bea, "block", devices)
    found = AuditEvent.objects.order_by("id").values_list("event", "object_id", "reason")
    assert list(found) == [
        ("device.blocked", str(devices[0].pk), "Recall"),
        ("device.blocked", str(devices[1].pk), "Recall"),
        ("devices.switched", str(done.pk), "Recall"),
    ]
    details = json.loads(AuditEvent.objects.get(event="devices.switched").data)["details"]
    assert details["outcomes"] == done.outcomes
    assert done.outcomes[2] == {
        "device": devices[2].public_id,
        "outcome": "refused",
        "code": "device-status-not-valid",
        "message": "A device that is retired cannot become blocked.",
    }


def test_a_device_that_is_named_twice_counts_once(ada: User, bea: Actor) -> None:
    device = make_device(ada)
    names = [str(device.pk), device.public_id, str(device.pk).upper()]
    done = switch_many(actor=bea, run_id=str(uuid4()), step="block", device_ids=names, reason="Recall")
    assert [entry["device"] for entry in done.outcomes] == [device.public_id]
    assert str(done) == "Block 1 device"


def test_the_same_run_again_changes_nothing(ada: User, bea: Actor) -> None:
    devices = [make_device(ada) for _ in range(2)]
    key = str(uuid4())
    first = run(bea, "deactivate", devices, key)
    count = AuditEvent.objects.count()
    assert run(bea, "deactivate", devices, key).outcomes == first.outcomes
    with pytest.raises(Conflict) as refusal:
        run(bea, "block", devices, key)
    assert refusal.value.code == "run-already-taken"
    assert (BulkRun.objects.count(), AuditEvent.objects.count()) == (1, count)


def test_what_is_so_already_leaves_no_event(ada: User, bea: Actor) -> None:
    devices = [make_device(ada, DeviceStatus.INACTIVE) for _ in range(2)]
    assert {entry["outcome"] for entry in run(bea, "deactivate", devices).outcomes} == {"already"}
    assert not AuditEvent.objects.exists()


def test_devices_of_others_are_as_unknown_as_those_that_are_not(ada: User, bea: Actor) -> None:
    mine, foreign, gone = make_device(ada), make_device(make_customer(make_bank())), Device()
    before = states()[str(foreign.pk)]
    done = run(bea, "block", [mine, foreign, gone])
    assert [(entry["outcome"], entry["code"]) for entry in done.outcomes] == [
        ("changed", ""),
        ("refused", "not-found"),
        ("refused", "not-found"),
    ]
    assert done.outcomes[1]["message"] == done.outcomes[2]["message"]
    assert states()[str(foreign.pk)] == before
    with pytest.raises(InvalidInput):
        run(bea, "block", [foreign])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("step", {"step": "retire"}),
        ("device_ids", {"device_ids": []}),
        ("device_ids", {"device_ids": ["352099001769876"]}),
        ("device_ids", {"device_ids": [str(uuid4()) for _ in range(201)]}),
        ("device_ids", {"device_ids": ["\x00"]}),
        ("reason", {"reason": " "}),
        ("reason", {"reason": "x" * 501}),
        ("run_id", {"run_id": "nonsense"}),
    ],
)
def test_input_that_cannot_be_read_changes_nothing(
    ada: User, bea: Actor, field: str, values: dict[str, object]
) -> None:
    device = make_device(ada)
    good = {"run_id": str(uuid4()), "step": "block", "device_ids": [str(device.pk)], "reason": "Recall"}
    with pytest.raises(InvalidInput) as refusal:
        switch_many(actor=bea, **(good | values))  # type: ignore[arg-type]
    assert [problem.field for problem in refusal.value.fields] == [field]
    assert not AuditEvent.objects.exists()
    assert states()[str(device.pk)][0] == "ACTIVE"


def test_who_may_not_take_the_step_may_not_take_many(ada: User, bank: Bank) -> None:
    device = make_device(ada)
    support = staff_actor(make_staff(bank, Role.SUPPORT))
    root = staff_actor(make_staff(bank, Role.ADMINISTRATOR, is_superuser=True))
    for actor, code in (
        (support, "capability-missing"),
        (root, "capability-missing"),
        (customer_actor(ada), "staff-only"),
        (bank_actor(bank), "staff-only"),
    ):
        for step in ("activate", "deactivate", "block"):
            with pytest.raises(Forbidden) as refusal:
                run(actor, step, [device])
            assert refusal.value.code == code
            with pytest.raises(Forbidden):
                tried(actor, step, [device])
    assert states()[str(device.pk)][0] == "ACTIVE"


# A second person


def test_more_than_the_threshold_takes_a_second_person(ada: User, bea: Actor, bank: Bank) -> None:
    threshold(bank, 3)
    devices = [make_device(ada) for _ in range(4)]
    make_token(user=ada, device=devices[0])
    assert tried(bea, "deactivate", devices[:3]).second_person == ""
    trial = tried(bea, "deactivate", devices)
    assert trial.second_person == "A bulk step over more than 3 devices takes a second person."
    before = states()
    with pytest.raises(ApprovalRequired):
        run(bea, "deactivate", devices)
    assert states() == before
    assert not BulkRun.objects.exists()

    request = approve()
    done = BulkRun.objects.get()
    assert request.result == {"run_id": str(done.pk), "changed": 4, "already": 0, "refused": 0}
    assert (request.object_type, request.object_id, request.object_label) == (
        "bulkrun",
        str(done.pk),
        "Deactivate 4 devices",
    )
    assert done.ended == trial.ended.counts
    assert {status for status, _ in states().values()} == {"INACTIVE"}


def test_one_device_that_takes_two_people_makes_all_of_them_wait(ada: User, bea: Actor) -> None:
    devices = [make_device(ada, DeviceStatus.PENDING), make_device(ada, DeviceStatus.BLOCKED)]
    before = states()
    with pytest.raises(ApprovalRequired):
        run(bea, "activate", devices)
    assert states() == before
    approve()
    assert {status for status, _ in states().values()} == {"ACTIVE"}


@pytest.mark.parametrize("required", ["devices.bulk", "device.deactivate"])
def test_the_banks_policy_asks_for_a_second_person(ada: User, bea: Actor, bank: Bank, required: str) -> None:
    threshold(bank, 10, required)
    devices = [make_device(ada) for _ in range(2)]
    with pytest.raises(ApprovalRequired):
        run(bea, "deactivate", devices)
    approve()
    assert {status for status, _ in states().values()} == {"INACTIVE"}


def test_a_policy_that_changes_between_trial_and_deed_makes_all_of_them_wait(
    ada: User, bea: Actor, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [make_device(ada) for _ in range(2)]
    before, run_id = states(), str(uuid4())
    threshold(bank, 10, "device.deactivate")
    monkeypatch.setattr("devices.policies.bulk.second_person", lambda *judged: "")
    with pytest.raises(ApprovalRequired) as waits:
        run(bea, "deactivate", devices, run_id)
    assert waits.value.details["run_id"] == run_id
    request = ApprovalRequest.objects.get()
    assert (request.operation, request.object_id, states()) == ("devices.bulk", run_id, before)
    assert BulkRun.objects.count() == 0


def test_nothing_to_change_takes_nobody(ada: User, bea: Actor, bank: Bank) -> None:
    threshold(bank, 1)
    devices = [make_device(ada, DeviceStatus.INACTIVE) for _ in range(3)]
    assert {entry["outcome"] for entry in run(bea, "deactivate", devices).outcomes} == {"already"}


def test_what_changed_meanwhile_is_judged_anew(ada: User, bea: Actor, bank: Bank) -> None:
    threshold(bank, 1)
    devices = [make_device(ada) for _ in range(3)]
    with pytest.raises(ApprovalRequired):
        run(bea, "deactivate", devices)
    deactivate_device(actor=bea, device_id=str(devices[0].pk), reason="at once")
    report_lost(actor=bea, device_id=str(devices[1].pk), reason="at once")
    approve()
    outcomes = [entry["outcome"] for entry in BulkRun.objects.get().outcomes]
    assert outcomes == ["already", "refused", "changed"]


def test_two_bulk_requests_may_wait_beside_each_other(ada: User, bea: Actor, bank: Bank) -> None:
    threshold(bank, 1)
    for _ in range(2):
        with pytest.raises(ApprovalRequired):
            run(bea, "block", [make_device(ada), make_device(ada)])
    assert ApprovalRequest.objects.open().count() == 2


def test_the_second_person_sees_every_device_and_the_counts(ada: User, bea: Actor, bank: Bank) -> None:
    from portal.approvals.queries import shown

    threshold(bank, 1)
    devices = [make_device(ada), make_device(ada, DeviceStatus.BLOCKED), make_device(ada, DeviceStatus.RETIRED)]
    make_token(user=ada, device=devices[0])
    with pytest.raises(ApprovalRequired):
        run(bea, "block", devices)
    avi = staff_actor(make_staff(bank, Role.APPROVER, "Avi"))
    assert shown(avi, ApprovalRequest.objects.get()).preview == [
        (1, "of the devices are changed"),
        (1, "of the devices are so already"),
        (1, "of the devices are refused"),
        (1, "open session is ended"),
        (None, f"{devices[0]}, Ada: changed"),
        (None, f"{devices[1]}, Ada: already"),
        (None, f"{devices[2]}, Ada: A device that is retired cannot become blocked."),
    ]


# Cost and races


@pytest.mark.parametrize("count", [2, 200])
def test_the_trial_of_200_devices_costs_what_that_of_2_does(ada: User, bea: Actor, count: int) -> None:
    devices = [make_device(ada) for _ in range(count)]
    with at_most(7):
        assert tried(bea, "block", devices).counts["changed"] == count


@pytest.mark.django_db(transaction=True)
def test_racing_runs_over_the_same_devices_change_each_once() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    actors = [staff_actor(make_staff(bank)) for _ in range(8)]
    devices = [make_device(ada) for _ in range(5)]
    key = str(uuid4())

    def switch(number: int) -> int:
        mine = devices if number % 2 else devices[::-1]  # in another order: still no deadlock
        done = run(actors[number], "deactivate", mine, key if number < 2 else "")
        return sum(entry["outcome"] == "changed" for entry in done.outcomes)

    outcomes = race(8, switch)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert all(isinstance(outcome, Conflict) for outcome in refused), refused
    assert AuditEvent.objects.filter(event="device.deactivated").count() == 5
