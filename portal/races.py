"""Decisions that a database constraint has the last word on."""

from collections.abc import Callable
from functools import wraps

from django.db import IntegrityError, transaction

ATTEMPTS = 3


def retried_on_conflict[**P, R](operation: Callable[P, R]) -> Callable[P, R]:
    """Run an operation in its own transaction, again when a constraint refused what another call did meanwhile.

    The second run sees the other call's rows, so the operation's own checks answer. An operation that its own
    checks let pass three times and the constraints refuse three times is broken: the error is raised.
    """

    @wraps(operation)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    return operation(*args, **kwargs)
            except IntegrityError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    return run
