"""Decisions that a database constraint has the last word on."""

from collections.abc import Callable
from functools import wraps

from django.db import IntegrityError, OperationalError, connection, transaction

ATTEMPTS = 3
# PostgreSQL's codes (appendix A) for "the other one went on": deadlock_detected, serialization_failure.
_LOST = ("40P01", "40001")


def retried_on_conflict[**P, R](operation: Callable[P, R]) -> Callable[P, R]:
    """Run an operation in its own transaction, again when a constraint refused what another call did meanwhile.

    Again, too, when the database ended it to let another one go on (deadlock); that only where nobody's transaction
    is around it, because the database has undone that as well. The second run sees the other call's rows, so the
    operation's own checks answer. An operation that its own checks let pass three times and the constraints refuse
    three times is broken: the error is raised.
    """

    @wraps(operation)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        outermost = not connection.in_atomic_block
        for attempt in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    return operation(*args, **kwargs)
            except IntegrityError:
                if attempt == ATTEMPTS - 1:
                    raise
            except OperationalError as error:
                if attempt == ATTEMPTS - 1 or not (outermost and _was_the_victim(error)):
                    raise
        raise AssertionError("unreachable")

    return run


def _was_the_victim(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", "") in _LOST
