"""What ends with a device's access: one list, counted the same way in the preview and in the deed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from devices.models import Device, DeviceKey, DevicePin, Fingerprint, PinReset, Transfer
from devices.operations.transfer_notices import tell_that_it_ended
from devices.operations.transfer_steps import step
from devices.states import ResetState, TransferState
from merchants.operations import following as links
from pki.operations import following
from pki.operations.requests import count_open_requests, end_open_requests
from pki.states import RevocationReason
from portal.accounts.models import AccessToken
from portal.accounts.operations.tokens import end_tokens_of_device
from portal.core import clock
from portal.core.actor import Actor
from twofa.operations.closing import cancel_open, count_open


class Cut(Enum):
    """How deep it goes."""

    OFF = auto()  # deactivated or blocked: it may come back
    LOST = auto()  # reported lost: it may come back within a day, without its PIN
    RETIRED = auto()  # unregistered for good
    MOVED = auto()  # another owner: nothing of the old one survives


_ALL: Final = frozenset(Cut)
_GONE: Final = frozenset({Cut.LOST, Cut.RETIRED, Cut.MOVED})


@dataclass(frozen=True)
class Step:
    """One kind of thing that ends.

    name: as it stands in the audit log and in counts. label: for people, for one and for many. at: the cuts that end
    it. count: how many would end now with these devices, in one query at most. end: ends one device's inside the
    caller's transaction and returns how many ended.
    """

    name: str
    label: tuple[str, str]
    at: frozenset[Cut]
    count: Callable[[Sequence[Device]], int]
    end: Callable[[Actor, Device], int]


def _void_resets(actor: Actor, device: Device) -> int:
    return PinReset.objects.filter(device=device, state=ResetState.OPEN).update(
        state=ResetState.VOID, closed_at=clock.now()
    )


def _remove_pin(actor: Actor, device: Device) -> int:
    return DevicePin.objects.filter(device=device).delete()[0]


def _cancel_transfers(actor: Actor, device: Device) -> int:
    """The device's lock is held, and every operation on transfers takes it first."""
    reason = "The device was taken out of use."
    cancelled = 0
    for transfer in Transfer.objects.open().filter(device=device).select_related("old_owner", "new_owner"):
        transfer.device = device
        step(actor, transfer, TransferState.CANCELLED, reason, end_reason=reason)
        tell_that_it_ended(transfer)
        cancelled += 1
    return cancelled


def _retire_keys(actor: Actor, device: Device) -> int:
    """For good: a retired key never counts again, on any device."""
    return DeviceKey.objects.filter(device=device, retired_at=None).update(retired_at=clock.now())


def _remove_fingerprints(actor: Actor, device: Device) -> int:
    return Fingerprint.objects.filter(device=device).delete()[0]


def _forget_push_handle(actor: Actor, device: Device) -> int:
    """On the row in hand; the caller saves `PUSH_FIELDS`."""
    had = int(bool(device.push_platform))
    device.set_push_handle("", "", None)
    return had


def _revoke_with_owner(actor: Actor, device: Device) -> int:
    return following.revoke_all(
        actor, device, RevocationReason.AFFILIATION_CHANGED, why="The device has another owner."
    )


def _revoke_for_good(actor: Actor, device: Device) -> int:
    return following.revoke_all(
        actor, device, RevocationReason.CESSATION_OF_OPERATION, why="The device was unregistered."
    )


STEPS: Final = (
    Step(
        "sessions",
        ("open session is ended", "open sessions are ended"),
        _ALL,
        count=lambda devices: AccessToken.objects.live().filter(device__in=devices).count(),
        end=lambda actor, device: end_tokens_of_device(device.pk),
    ),
    Step(
        "transfers",
        ("open transfer is cancelled", "open transfers are cancelled"),
        _ALL - {Cut.MOVED},
        count=lambda devices: Transfer.objects.open().filter(device__in=devices).count(),
        end=_cancel_transfers,
    ),
    Step(
        "two_factor",
        ("open approval request is cancelled", "open approval requests are cancelled"),
        _ALL,
        count=count_open,
        end=cancel_open,
    ),
    Step(
        "pin_resets",
        ("PIN reset on its way is voided", "PIN resets on their way are voided"),
        _ALL,
        count=lambda devices: PinReset.objects.filter(device__in=devices, state=ResetState.OPEN).count(),
        end=_void_resets,
    ),
    Step(
        "pins",
        ("PIN is removed", "PINs are removed"),
        _GONE,
        count=lambda devices: DevicePin.objects.filter(device__in=devices).count(),
        end=_remove_pin,
    ),
    Step(
        "links",
        ("link to a phrase is cut", "links to phrases are cut"),
        _GONE,
        count=links.count_open,
        end=links.end_links,
    ),
    Step(
        "keys",
        ("approval key is retired for good", "approval keys are retired for good"),
        frozenset({Cut.MOVED}),
        count=lambda devices: DeviceKey.objects.filter(device__in=devices, retired_at=None).count(),
        end=_retire_keys,
    ),
    Step(
        "certificate_requests",
        ("certificate request is rejected", "certificate requests are rejected"),
        frozenset({Cut.RETIRED, Cut.MOVED}),
        count=count_open_requests,
        end=lambda actor, device: end_open_requests(actor, device, "The device is not its owner's any more."),
    ),
    Step(
        "certificates_held",
        ("certificate is put on hold", "certificates are put on hold"),
        frozenset({Cut.OFF, Cut.LOST}),
        count=following.count_held,
        end=following.hold_all,
    ),
    Step(
        "certificates_retired",
        ("certificate is revoked", "certificates are revoked"),
        frozenset({Cut.RETIRED}),
        count=following.count_revoked,
        end=_revoke_for_good,
    ),
    Step(
        "certificates_revoked",
        ("certificate is revoked", "certificates are revoked"),
        frozenset({Cut.MOVED}),
        count=following.count_revoked,
        end=_revoke_with_owner,
    ),
    Step(
        "fingerprints",
        ("fingerprint is removed", "fingerprints are removed"),
        frozenset({Cut.MOVED}),
        count=lambda devices: Fingerprint.objects.filter(device__in=devices).count(),
        end=_remove_fingerprints,
    ),
    Step(
        "push_handles",
        ("push handle is forgotten", "push handles are forgotten"),
        frozenset({Cut.RETIRED, Cut.MOVED}),
        count=lambda devices: sum(bool(device.push_platform) for device in devices),
        end=_forget_push_handle,
    ),
)


@dataclass(frozen=True)
class Ending:
    """How many of each kind end (or ended)."""

    counts: dict[str, int]

    @property
    def sessions(self) -> int:
        return self.counts["sessions"]

    @property
    def lines(self) -> list[tuple[int, str]]:
        """For people: `(2, "open sessions are ended")`; sessions always, the rest where there is any."""
        return [
            (self.counts[step.name], step.label[self.counts[step.name] != 1])
            for step in STEPS
            if step.name == "sessions" or self.counts.get(step.name)
        ]


def preview(device: Device, cut: Cut = Cut.OFF) -> Ending:
    """What would end if the device were cut off now. Changes nothing."""
    return preview_all([device], cut)


def preview_all(devices: Sequence[Device], cut: Cut = Cut.OFF) -> Ending:
    """The same for several devices together, in as many queries as for one."""
    return Ending({step.name: step.count(devices) for step in STEPS if cut in step.at})


def end_access(actor: Actor, device: Device, cut: Cut = Cut.OFF) -> Ending:
    """End everything. Call it in the transaction that cuts the device off, with the device's row locked.

    With RETIRED and MOVED the caller saves the device's `PUSH_FIELDS`.
    """
    return Ending({step.name: step.end(actor, device) for step in STEPS if cut in step.at})
