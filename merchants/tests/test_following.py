"""What a device's life, and a corrected number, do to links."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from devices.models import Device
from devices.operations import severing
from devices.operations.activation import activate_device, block_device, deactivate_device, unregister_device
from devices.operations.cascade import Cut, preview, preview_all
from devices.operations.issued_life import replace_device
from devices.operations.loss import report_lost
from devices.operations.transfer_acceptance import accept_transfer, sweep_transfers
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_card,
    make_customer,
    make_device,
    make_staff,
    make_transfer,
    staff_actor,
)
from merchants.models import Link, Phrase
from merchants.models.links import number_key
from merchants.operations.links import cut_link
from merchants.tests.factories import make_link
from merchants.tests.whole import check_whole
from portal.accounts.models import Bank, User
from portal.accounts.operations.people import correct_customer
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict

pytestmark = pytest.mark.django_db


def lose(actor: Actor, device: Device) -> object:
    return report_lost(actor=actor, device_id=device.public_id, reason="r")


def retire(actor: Actor, device: Device) -> object:
    return unregister_device(actor=bank_actor(device.bank), device_id=device.public_id, reason="r")


def move(actor: Actor, device: Device) -> object:
    cem = make_customer(device.bank, "Cem")
    offer = make_transfer(device, cem, code="12345678")
    return accept_transfer(actor=customer_actor(cem), transfer_id=offer.public_id, acceptance_code="12345678")


GONE = [(lose, Cut.LOST, "lost"), (retire, Cut.RETIRED, "retired"), (move, Cut.MOVED, "moved")]


@pytest.mark.parametrize(("end", "cut", "why"), GONE, ids=[one[2] for one in GONE])
@pytest.mark.parametrize("whose", ["the owner's", "another's"])
def test_a_device_that_is_gone_stands_for_nobody(
    end: Callable[[Actor, Device], object],
    cut: Cut,
    why: str,
    whose: str,
    bea: Actor,
    ada: User,
    cem: User,
    phone: Device,
) -> None:
    link = make_link(phone, ada if whose == "the owner's" else cem)
    stays = make_link(make_device(ada))
    assert preview(phone, cut).counts["links"] == 1
    end(bea, phone)
    ended = Link.objects.get(pk=link.pk)
    assert (ended.end_reason, ended.phrase, ended.device_id_sealed) == (why, None, "")
    assert ended.ended_at is not None
    assert list(Link.objects.open()) == [stays]
    assert Phrase.objects.count() == 1
    (event,) = AuditEvent.objects.filter(event="link.cut")
    assert event.object_id == str(phone.pk)
    details = {"link": str(link.pk), "customer": link.customer.public_id, "why": why}
    assert json.loads(event.data)["details"] == details
    assert preview(Device.objects.get(pk=phone.pk), cut).counts["links"] == 0
    check_whole(ada.bank_id)


def test_a_transfer_on_its_date_ends_it_too(ada: User, cem: User, phone: Device) -> None:
    make_link(phone)
    now = clock.now()
    make_transfer(phone, cem, "ACCEPTED", effective_at=now - timedelta(minutes=1))
    assert sweep_transfers().completed == 1
    assert [link.end_reason for link in Link.objects.all()] == ["moved"]
    check_whole(ada.bank_id)


def test_what_is_only_switched_off_keeps_its_link(bea: Actor, ada: User, phone: Device) -> None:
    link = make_link(phone)
    assert "links" not in preview(phone).counts
    for step in (deactivate_device, activate_device, block_device):
        step(actor=bea, device_id=phone.public_id, reason="r")
        assert list(Link.objects.open()) == [link]
    assert Phrase.objects.count() == 1


def test_a_lost_device_that_was_blocked_before_ends_it(bea: Actor, ada: User) -> None:
    device = make_device(ada, DeviceStatus.BLOCKED)
    make_link(device)
    lose(bea, device)
    assert [link.end_reason for link in Link.objects.all()] == ["lost"]


def test_a_card_is_linked_by_its_own_id_and_its_link_ends_with_its_loss(bea: Actor, ada: User) -> None:
    card = make_card(ada)
    assert make_link(card).device_id_text == card.public_id
    lose(bea, card)
    assert [one.end_reason for one in Link.objects.all()] == ["lost"]


def test_a_card_that_is_replaced_stands_for_nobody(bea: Actor, ada: User) -> None:
    card, expires = make_card(ada, DeviceStatus.BLOCKED), str(clock.now().date() + timedelta(days=900))
    make_link(card)
    replace_device(actor=bea, device_id=card.public_id, expires_on=expires, reason="Worn out")
    assert [one.end_reason for one in Link.objects.all()] == ["retired"]
    check_whole(ada.bank_id)


def test_several_devices_are_counted_together(ada: User) -> None:
    devices = [make_device(ada) for _ in range(3)]
    for device in devices[:2]:
        make_link(device)
    assert preview_all(devices, Cut.LOST).counts["links"] == 2


def test_the_transfer_page_tells_of_the_link(ada: User, phone: Device) -> None:
    make_link(phone)
    assert (1, "link to a phrase is cut") in severing.preview(phone).lines
    assert (2, "links to phrases are cut") in severing.lines_of({"links": 2})


def test_a_corrected_number_is_sorted_and_searched_anew(bank: Bank, bea: Actor, ada: User) -> None:
    links = [make_link(make_device(ada)) for _ in range(3)]
    others = [make_link(customer=make_customer(bank)) for _ in range(3)]
    ended = make_link(make_device(ada))
    cut_link(actor=bea, link_id=str(ended.pk), reason="r")
    correct_customer(actor=bea, user_id=ada.pk, changes={"customer_number": "Å 7"}, reason="typed wrong")
    keys = Link.objects.filter(customer=ada).values_list("number_key", flat=True)
    assert set(keys) == {number_key("Å 7")}
    assert Link.objects.filter(number_key=number_key("Å 7")).count() == len(links) + 1
    for link in others:
        assert Link.objects.get(pk=link.pk).number_key == link.number_key
    check_whole(bank.pk)


def test_another_correction_leaves_links_alone(bank: Bank, bea: Actor, ada: User) -> None:
    make_link(make_device(ada))
    before = list(Link.objects.values())
    correct_customer(actor=bea, user_id=ada.pk, changes={"name": "Ada L."}, reason="married")
    assert list(Link.objects.values()) == before


def test_a_number_that_is_taken_changes_no_link(bank: Bank, bea: Actor, ada: User, cem: User) -> None:
    make_link(make_device(ada))
    before = list(Link.objects.values())
    changes = {"customer_number": cem.customer_number or ""}
    with pytest.raises(Conflict):
        correct_customer(actor=bea, user_id=ada.pk, changes=changes, reason="r")
    assert list(Link.objects.values()) == before
    check_whole(bank.pk)


def test_another_bank_is_untouched(bea: Actor, ada: User) -> None:
    eve = make_customer(make_bank(), "Eve", customer_number=ada.customer_number)
    theirs = make_link(customer=eve)
    correct_customer(actor=bea, user_id=ada.pk, changes={"customer_number": "1"}, reason="r")
    assert Link.objects.get(pk=theirs.pk).number_key == theirs.number_key
    assert staff_actor(make_staff(eve.bank)).bank_id == theirs.bank_id
