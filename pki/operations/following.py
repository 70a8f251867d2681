"""Certificates follow their device: held while it is off, released with it, ended when it goes.

Everything here runs inside the caller's transaction, under its lock on the device.
"""

from collections.abc import Iterator, Sequence

from devices.models import Device
from pki.models import Certificate, Rotation
from pki.operations import ending, rotation_ledger
from pki.states import ENDABLE, LIVE, CertificateState, RevocationReason
from portal.core.actor import Actor


def count_held(devices: Sequence[Device]) -> int:
    """How many certificates `hold_all` would put on hold. One query."""
    return Certificate.objects.filter(device__in=devices, state__in=LIVE).count()


def count_revoked(devices: Sequence[Device]) -> int:
    """How many certificates `revoke_all` would revoke. One query."""
    return Certificate.objects.filter(device__in=devices, state__in=ENDABLE).count()


def hold_all(actor: Actor, device: Device) -> int:
    """The device is off: what it could show is on hold. Returns how many changed."""
    why = "The device was switched off."
    return sum(ending.hold(actor, certificate, why=why) for certificate in _of(device, *LIVE))


def release_all(actor: Actor, device: Device) -> int:
    """The device is on again: what was held with it goes on. What staff held apart stays on hold.

    Of two that were good beside each other, both come back as they were. Returns how many changed.
    """
    held = [one for one in _of(device, CertificateState.ON_HOLD) if not one.held_apart]
    return sum(ending.release(actor, certificate, why="The device was switched on.") for certificate in held)


def revoke_all(actor: Actor, device: Device, reason: RevocationReason, *, why: str) -> int:
    """The device is gone, or another's: nothing of it is good any more. Open rotations are cancelled.

    What is being signed for it is not of a state that ends: `requests.end_open_requests` gives that up, before.
    Returns how many certificates were revoked.
    """
    revoked = sum(ending.revoke(actor, one, reason, why=why) for one in _of(device, *ENDABLE))
    for rotation in Rotation.objects.open().select_for_update(of=("self",)).filter(device=device):
        rotation_ledger.cancel(actor, rotation, why)
    return revoked


def _of(device: Device, *states: CertificateState) -> Iterator[Certificate]:
    """One after the other in the order of their keys, locked."""
    rows = Certificate.objects.select_for_update(of=("self",)).of_device(device.pk).filter(state__in=states)
    yield from rows.order_by("pk")
