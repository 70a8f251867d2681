"""Rings for tests: the suite's own keys are t1 and i1; those that follow are t2 and i2."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.test import override_settings

OLD_SEAL, OLD_INDEX = {"t1": settings.SEALING_KEYS["t1"]}, {"i1": settings.INDEX_KEYS["i1"]}
NEW_SEAL, NEW_INDEX = {"t2": b"2" * 32}, {"i2": b"3" * 32}


def rings(sealing: Mapping[str, bytes], index: Mapping[str, bytes]) -> Any:
    return override_settings(SEALING_KEYS=dict(sealing), INDEX_KEYS=dict(index))


def before() -> Any:
    """Only the old keys."""
    return rings(OLD_SEAL, OLD_INDEX)


def both() -> Any:
    """The new ones first."""
    return rings(NEW_SEAL | OLD_SEAL, NEW_INDEX | OLD_INDEX)


def listed_last() -> Any:
    """The new ones known, and not used yet."""
    return rings(OLD_SEAL | NEW_SEAL, OLD_INDEX | NEW_INDEX)


def after() -> Any:
    """Only the new keys."""
    return rings(NEW_SEAL, NEW_INDEX)
