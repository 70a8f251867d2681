"""Digests of PINs with the peppers from the settings, made and checked in the hashing threads.

Call these outside any transaction, and inside a place of the pool.
"""

import logging

from django.conf import settings

from devices.models import Device
from portal.core.errors import FieldProblem, InvalidInput, Locked
from portal.crypto.pins import PinDigestBroken, check_pin, hash_pin, is_pin
from portal.hashing import pool

log = logging.getLogger(__name__)


def check_form(**pins: str) -> None:
    """Raises InvalidInput at each of the named PINs that is not six of 0 to 9; the last repeats the one before it."""
    fields = list(pins)
    problems = [
        FieldProblem(field, "invalid-format", "A PIN has exactly six digits, 0 to 9.")
        for field in fields
        if not is_pin(pins[field])
    ]
    if not problems and pins[fields[-1]] != pins[fields[-2]]:
        problems.append(FieldProblem(fields[-1], "mismatch", "The two PINs are not the same."))
    if problems:
        raise InvalidInput(fields=tuple(problems))


def new_digest(device: Device, pin: str) -> str:
    """The digest to keep of a PIN of this device, under the current pepper."""
    peppers, cost = settings.PIN_PEPPERS, settings.PIN_COST
    return pool().run(lambda: hash_pin(pin, device.pk.bytes, peppers, cost))


def matches(device: Device, kept: str, pin: str) -> bool:
    """Whether this is the PIN behind a digest of this device, under whichever pepper it was made.

    Raises Locked `pin-locked` where nobody can tell: then a reset is the only way on.
    """
    peppers = settings.PIN_PEPPERS
    try:
        return pool().run(lambda: check_pin(pin, kept, device.pk.bytes, peppers))
    except PinDigestBroken as broken:
        log.error("a PIN cannot be checked: %s", broken, extra={"device": str(device.pk)})
        raise locked() from None


def locked() -> Locked:
    """The refusal of every try at a locked PIN, right or wrong."""
    return Locked("The PIN is locked. Reset it.", code="pin-locked")
