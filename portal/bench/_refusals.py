"""Whether the time that a refusal takes tells which refusal it is."""

import gc
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Final

from portal.bench._calling import Asked, Portal

WARM_UP: Final = 50  # rounds


def in_disorder(portal: Portal, kinds: Mapping[str, Sequence[Asked]], *, status: int) -> dict[str, list[float]]:
    """The seconds of each call. Round by round one of each kind, in an order that is drawn for every round.

    Raises AssertionError when two bodies differ.
    """
    order = random.SystemRandom()
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    bodies: set[bytes] = set()
    rounds = min(map(len, kinds.values()))
    with _no_collecting():
        for turn in (*range(WARM_UP), *range(rounds)):
            if turn % 100 == 0:
                gc.collect()
            for name in order.sample(list(kinds), len(kinds)):
                seconds, body = portal.call(kinds[name][turn % rounds], status=status)
                bodies.add(body)
                taken[name].append(seconds)
    if len(bodies) != 1:
        raise AssertionError(f"the refusals say {len(bodies)} different things")
    return {name: times[WARM_UP:] for name, times in taken.items()}


def area(one: Sequence[float], others: Sequence[float]) -> float:
    """How likely a time of `one` is longer than one of `others` (the area under the ROC curve): 0.5 tells nothing."""
    ordered = sorted([(time, True) for time in one] + [(time, False) for time in others])
    above, passed = 0.0, 0
    for _, group in groupby(ordered, key=lambda pair: pair[0]):
        equal = [ours for _, ours in group]
        ours = sum(equal)
        above += ours * (passed + (len(equal) - ours) / 2)
        passed += len(equal) - ours
    return above / (len(one) * len(others))


def areas(taken: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, float]]:
    """Each kind against all the others together."""
    for name, times in taken.items():
        yield name, area(times, [time for other, theirs in taken.items() if other != name for time in theirs])


@contextmanager
def _no_collecting() -> Iterator[None]:
    """The collector would stop whoever has the bad luck."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
