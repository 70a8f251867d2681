"""A device's whole life in any order: whatever is tried, what holds before holds afterwards.

Each step either does what it says, or raises a DomainError and changes nothing but the counter that must count.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from devices.models import PIN_TRIES, Device, DeviceKey, DevicePin, Fingerprint, PinReset, Transfer
from devices.operations import cascade, severing
from devices.operations.activation import (
    activate_device,
    block_device,
    deactivate_device,
    unblock_device,
    unregister_device,
)
from devices.operations.cascade import Cut
from devices.operations.facts import DeviceFacts
from devices.operations.loss import report_lost, undo_loss
from devices.operations.pin_confirmation import confirm_reset
from devices.operations.pin_resets import request_reset
from devices.operations.pins import change_pin, create_pin
from devices.operations.registration import register_device
from devices.operations.transfer_acceptance import accept_transfer
from devices.operations.transfers import approve_transfer, cancel_transfer, reject_transfer, request_transfer
from devices.states import DeviceStatus, HeldBy, ResetState, TransferState
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_key,
    make_staff,
    make_token,
    staff_actor,
)
from portal import vault
from portal.accounts.models import AccessToken, TotpAuthenticator, User
from portal.accounts.operations.people import EMAIL, PHONE
from portal.accounts.operations.second_factor import Factor, Verified
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.approvals.operations import approve_request
from portal.approvals.states import RequestState
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, DomainError
from portal.outbox.models import Message
from portal.outbox.operations import BODY

pytestmark = pytest.mark.django_db

EXTERNAL_IDS = ("352099001761481", "app.life-2")
PINS = ("840261", "593174")
WRONG_PIN = "318605"
PHONES = {"Ada": "+12025550143", "Bob": "+12025550186"}

OFF: dict[str, tuple[Callable[..., Any], Cut]] = {
    "block": (block_device, Cut.OFF),
    "deactivate": (deactivate_device, Cut.OFF),
    "report lost": (report_lost, Cut.LOST),
    "unregister": (unregister_device, Cut.RETIRED),
}
ON = (activate_device, unblock_device, undo_loss)

which = st.sampled_from(range(len(EXTERNAL_IDS)))
someone = st.sampled_from(["owner", "owner", "owner", "stranger"])
anyone = st.sampled_from(["owner", "owner", "stranger", "Bea", "bank"])
pins = st.sampled_from(PINS)


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction that is undone, and that durable operations take for a test's own."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # as Django's own test cases say it
    with block:
        yield
        transaction.set_rollback(True)


def proof_of(user: User) -> Verified:
    return Verified(user.pk, clock.now(), Factor.TOTP, TotpAuthenticator(user=user), 0)


class Life(RuleBasedStateMachine):
    """Two customers, a clerk, an approver and the bank's server do anything to two phones in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = rolled_back()
        self.undo.__enter__()
        self.bank = make_bank()
        self.people = {name: make_customer(self.bank, name) for name in PHONES}
        for name, person in self.people.items():
            person.phone_sealed = vault.seal(PHONE, person.pk, PHONES[name])
            person.email_sealed = vault.seal(EMAIL, person.pk, f"{name.lower()}@customer.example")
            person.save()
        self.application = make_application(self.bank)
        bea = make_staff(self.bank, Role.OPERATOR, "Bea")
        self.avi = make_staff(self.bank, Role.APPROVER, "Avi")
        self.actors = {
            **{
                name: customer_actor(person, application_id=self.application.pk)
                for name, person in self.people.items()
            },
            "Bea": staff_actor(bea),
            "bank": bank_actor(self.bank),
        }
        self.keys = 0

    def teardown(self) -> None:
        self.undo.__exit__(None, None, None)

    # What is tried. Nothing is kept back: the operations say what may be.

    @initialize()
    def begin(self) -> None:
        self.register(0, "Ada")
        self.register(1, "Bob")

    @rule(number=which, name=st.sampled_from(["Ada", "Bob"]))
    def register(self, number: int, name: str) -> None:
        facts = DeviceFacts(external_id=EXTERNAL_IDS[number], push_platform="gcm", push_handle=f"handle-{number}")
        self.attempt(lambda: register_device(actor=self.actors[name], facts=facts))

    @rule(number=which)
    def sign_in(self, number: int) -> None:
        """A session and a key of the device's owner, as a mobile application would have them."""
        device = self.device(number)
        if device is None or not device.is_active:
            return
        make_token(user=device.owner, application=self.application, device=device)
        if not device.keys.filter(retired_at=None).exists():
            self.keys += 1
            make_key(device, f"life-{self.keys}")

    @rule(number=which, name=anyone, step=st.sampled_from(sorted(OFF)))
    def switch_off(self, number: int, name: str, step: str) -> None:
        operation, cut = OFF[step]
        self.switch(operation, number, name, cut)

    @rule(number=which, name=anyone, operation=st.sampled_from(ON))
    def switch_on(self, number: int, name: str, operation: Callable[..., Any]) -> None:
        self.switch(operation, number, name, None)

    @rule(number=which)
    def bring_back(self, number: int) -> None:
        """Whatever it takes: so that lives do not all end early."""
        device = self.device(number)
        if device is None:
            self.register(number, "Ada")
        elif not device.is_active:
            self.switch(undo_loss if device.lost_at else activate_device, number, "Bea", None)

    @rule(number=which, name=someone, pin=pins)
    def set_pin(self, number: int, name: str, pin: str) -> None:
        self.attempt(
            lambda: create_pin(
                actor=self.actor(name, number), device_id=EXTERNAL_IDS[number], pin=pin, confirm_pin=pin
            )
        )

    @rule(number=which, name=someone, current=st.sampled_from((*PINS, WRONG_PIN)), new=pins)
    def exchange_pin(self, number: int, name: str, current: str, new: str) -> None:
        self.attempt(
            lambda: change_pin(
                actor=self.actor(name, number),
                device_id=EXTERNAL_IDS[number],
                current_pin=current,
                new_pin=new,
                confirm_new_pin=new,
            ),
            counts=True,
        )

    @rule(number=which, name=someone, pin=pins, right=st.booleans())
    def reset_pin(self, number: int, name: str, pin: str, right: bool) -> None:
        reset = self.attempt(
            lambda: request_reset(
                actor=self.actor(name, number),
                device_id=EXTERNAL_IDS[number],
                method="SMS",
                known_phone=PHONES[self.person(name, number).name],
            )
        )
        if not isinstance(reset, PinReset):
            return
        code = self.last_code() if right else "00000000"
        self.attempt(
            lambda: confirm_reset(
                actor=self.actor(name, number),
                reset_id=reset.public_id,
                verification_code=code,
                new_pin=pin,
                confirm_new_pin=pin,
            ),
            counts=True,
        )

    @rule(
        number=which,
        name=st.sampled_from(["owner", "owner", "owner", "Bea", "stranger"]),
        to=st.sampled_from(["stranger", "stranger", "stranger", "owner"]),
        goes_on=st.sampled_from(["waits", "decided", "accepted", "accepted"]),
    )
    def transfer(self, number: int, name: str, to: str, goes_on: str) -> None:
        asked = self.attempt(
            lambda: request_transfer(
                actor=self.actor(name, number),
                device_id=EXTERNAL_IDS[number],
                new_owner_id=self.person(to, number).public_id,
                reason="It is hers now",
            )
        )
        if isinstance(asked, Transfer) and goes_on != "waits":
            self.decide_transfer(True, "accepts" if goes_on == "accepted" else "waits")

    @rule(yes=st.booleans(), goes_on=st.sampled_from(["accepts", "mistypes", "cancels", "waits"]))
    def decide_transfer(self, yes: bool, goes_on: str) -> None:
        waiting = Transfer.objects.filter(state=TransferState.PENDING_APPROVAL).order_by("requested_at").first()
        if waiting is None:
            return
        operation = approve_transfer if yes else reject_transfer
        decided = self.attempt(
            lambda: operation(
                actor=staff_actor(self.avi),
                transfer_id=waiting.public_id,
                reason="Seen",
                proof=proof_of(self.avi),
            )
        )
        if not isinstance(decided, Transfer) or not yes or goes_on == "waits":
            return
        code = self.last_code()
        if goes_on == "cancels":
            actor = self.actor_of(decided.old_owner)
            self.attempt(lambda: cancel_transfer(actor=actor, transfer_id=decided.public_id))
            return
        device = Device.objects.get(pk=decided.device_id)
        expected = severing.preview(device).counts
        actor = self.actor_of(decided.new_owner)
        typed = code if goes_on == "accepts" else "00000000"
        done = self.attempt(
            lambda: accept_transfer(actor=actor, transfer_id=decided.public_id, acceptance_code=typed), counts=True
        )
        if isinstance(done, Transfer):
            assert self.last_ended("transfer.completed", device) == expected
            self.check_nothing_survived(Device.objects.get(pk=device.pk), decided.new_owner)

    # How it is tried, and what must hold.

    def switch(self, operation: Callable[..., Any], number: int, name: str, cut: Cut | None) -> None:
        """A step, with a second person where it takes one; what it ended is what its preview said."""
        device = self.device(number)
        expected = cascade.preview(device, cut).counts if device is not None and cut else None
        before = AuditEvent.objects.count()
        done = self.attempt(
            lambda: operation(actor=self.actor(name, number), device_id=EXTERNAL_IDS[number], reason="In any order")
        )
        if isinstance(done, ApprovalRequired):
            done = self.second_person(done)
        if expected is not None and device is not None and getattr(done, "changed", False):
            event = (
                AuditEvent.objects.filter(object_id=str(device.pk), data__contains='"ended"').order_by("id").last()
            )
            assert event is not None
            assert AuditEvent.objects.count() > before
            assert json.loads(event.data)["details"]["ended"] == expected

    def attempt(self, work: Callable[[], Any], *, counts: bool = False) -> Any:
        """Do it, or be refused. A refusal changes nothing; with `counts`, nothing but what has to be counted."""
        before = self.everything(counters=not counts)
        try:
            return work()
        except DomainError as refusal:
            assert self.everything(counters=not counts) == before
            return refusal

    def second_person(self, asked: ApprovalRequired) -> Any:
        request = ApprovalRequest.objects.get(state=RequestState.PENDING)
        assert request.public_id == asked.request_id
        approve_request(
            actor=staff_actor(self.avi),
            request_id=request.public_id,
            seen=request.payload_digest,
            reason="Seen",
            proof=proof_of(self.avi),
        )
        request.refresh_from_db()
        assert request.state in {RequestState.DONE, RequestState.FAILED}
        return request

    def everything(self, *, counters: bool = True) -> list[Any]:
        """Every row that a device's life is about; without counters, those that a wrong PIN or code may change."""
        tables: list[Any] = [Device, DeviceKey, Fingerprint, AccessToken]
        tables += [DevicePin, PinReset, Transfer] if counters else []
        rows = [list(table.objects.order_by("pk").values()) for table in tables]
        return [*rows, list(DevicePin.objects.order_by("pk").values_list("pk", "digest"))]

    def device(self, number: int) -> Device | None:
        """The device in use with this identifier."""
        devices = Device.objects.in_use().named_externally(self.bank.pk, EXTERNAL_IDS[number])
        return devices.select_related("owner").first()

    def person(self, name: str, number: int) -> User:
        """The device's owner, or the other customer."""
        device = self.device(number)
        owner = "Ada" if device is None else device.owner.name
        other = "Bob" if owner == "Ada" else "Ada"
        return self.people[owner if name == "owner" else other]

    def actor(self, name: str, number: int) -> Actor:
        return self.actors.get(name) or self.actor_of(self.person(name, number))

    def actor_of(self, person: User) -> Actor:
        return self.actors[person.name]

    def last_code(self) -> str:
        """The code in the newest message that holds one."""
        for message in Message.objects.order_by("-id"):
            found = re.search(r"\b[0-9]{8}\b", vault.unseal(BODY, message.pk, message.body_sealed))
            if found:
                return found[0]
        raise AssertionError("no message holds a code")

    def last_ended(self, event: str, device: Device) -> dict[str, int]:
        found = AuditEvent.objects.filter(event=event, object_id=str(device.pk)).order_by("id").last()
        assert found is not None
        ended: dict[str, int] = json.loads(found.data)["details"]["ended"]
        return ended

    def check_nothing_survived(self, device: Device, owner: User) -> None:
        assert device.owner_id == owner.pk
        assert (device.nickname, device.installation_id, device.push_platform) == ("", "", "")
        assert not DevicePin.objects.filter(device=device).exists()
        assert not DeviceKey.objects.filter(device=device, retired_at=None).exists()
        assert not Fingerprint.objects.filter(device=device).exists()
        assert not AccessToken.objects.live().filter(device=device).exists()

    @invariant()
    def sessions_live_only_on_active_devices_of_their_owner(self) -> None:
        for token in AccessToken.objects.live().filter(device__isnull=False).select_related("device"):
            assert token.device is not None
            assert token.device.is_active
            assert token.device.owner_id == token.user_id

    @invariant()
    def what_waits_waits_only_on_active_devices(self) -> None:
        off = Device.objects.exclude(status=DeviceStatus.ACTIVE)
        assert not Transfer.objects.open().filter(device__in=off).exists()
        assert not PinReset.objects.filter(state=ResetState.OPEN, device__in=off).exists()

    @invariant()
    def what_is_lost_or_gone_has_no_pin(self) -> None:
        lost = Device.objects.filter(lost_at__isnull=False)
        assert not lost.exclude(status__in=[DeviceStatus.BLOCKED, DeviceStatus.RETIRED]).exists()
        assert not lost.filter(status=DeviceStatus.BLOCKED).exclude(held_by=HeldBy.BANK).exists()
        assert not DevicePin.objects.filter(device__in=lost).exists()
        assert not DevicePin.objects.filter(device__status=DeviceStatus.RETIRED).exists()

    @invariant()
    def tries_are_bounded(self) -> None:
        for pin in DevicePin.objects.all():
            assert pin.failures <= PIN_TRIES
            assert (pin.locked_at is not None) == pin.is_locked

    @invariant()
    def an_identifier_has_one_device_in_use(self) -> None:
        for number in range(len(EXTERNAL_IDS)):
            named = Device.objects.in_use().named_externally(self.bank.pk, EXTERNAL_IDS[number])
            assert named.count() <= 1

    @invariant()
    def the_log_tells_each_status_in_order(self) -> None:
        """Each event begins where the one before ended, and the last one ends where the device is."""
        for device in Device.objects.all():
            status = None
            for event in AuditEvent.objects.filter(object_id=str(device.pk), outcome="done").order_by("id"):
                data = json.loads(event.data)
                if "status" in (data.get("before") or {}):
                    assert data["before"]["status"] == status
                if "status" in (data.get("after") or {}):
                    status = data["after"]["status"]
            assert status == device.status


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_devices_life_in_any_order() -> None:
    run(examples=10, steps=20)


@pytest.mark.slow
def test_many_lives_in_any_order() -> None:
    run(examples=100, steps=50)
