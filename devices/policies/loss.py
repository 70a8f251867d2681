"""Who may say that a device is lost, and that it was found again."""

from datetime import timedelta
from typing import Final

from devices.models import Device
from devices.policies.registry import may_activate, may_block
from devices.policies.verdicts import YES, Verdict, first_no
from devices.states import DeviceStatus
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidState, SecondPersonNeeded

UNDO: Final = "device.undo-loss"
UNDO_WITHIN: Final = timedelta(hours=24)  # our own policy: whatever turns up later is registered or issued anew


def may_report_lost(actor: Actor) -> Verdict:
    """The owner, staff who may block, and the bank."""
    return may_block(actor)


def report_lost(actor: Actor, device: Device) -> Verdict:
    """Any device that is not retired; one that is reported lost already stays so."""
    may = may_report_lost(actor)
    if may.allowed and device.status == DeviceStatus.RETIRED:
        return Verdict(InvalidState("This device is unregistered.", code="device-status-not-valid"))
    return may


def may_undo_loss(actor: Actor) -> Verdict:
    """Staff who may activate, and the bank. The owner asks them."""
    return may_activate(actor)


def undo_loss(actor: Actor, device: Device) -> Verdict:
    """A device that was reported lost less than 24 hours ago, by two people."""
    return first_no(may_undo_loss(actor), _is_lost(device), _in_time(device), _two_people(actor, device))


def _is_lost(device: Device) -> Verdict:
    if device.lost_at and device.status == DeviceStatus.BLOCKED:
        return YES
    return Verdict(InvalidState("This device is not reported lost.", code="device-not-lost"))


def _in_time(device: Device) -> Verdict:
    if device.lost_at and clock.now() < device.lost_at + UNDO_WITHIN:
        return YES
    message = "A loss report can be undone for 24 hours. After that the device is registered or issued anew."
    return Verdict(InvalidState(message, code="loss-final"))


def _two_people(actor: Actor, device: Device) -> Verdict:
    if actor.approved_for(UNDO):
        return YES
    return Verdict(SecondPersonNeeded("A loss report is undone by two people.", about=device))
