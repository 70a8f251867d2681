"""Operations that are run again because another call was faster."""

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction

from portal.races import ATTEMPTS, retried_on_conflict


class Deadlock(Exception):
    sqlstate = "40P01"


class TooSlow(Exception):
    sqlstate = "57014"


def failing(cause: Exception, times: int) -> tuple[Callable[[], str], list[bool]]:
    """An operation that the database ends so often before it goes through; and what was seen of its runs."""
    runs: list[bool] = []

    @retried_on_conflict
    def operation() -> str:
        runs.append(connection.in_atomic_block)
        if len(runs) <= times:
            raise OperationalError("the database ended it") from cause
        return "done"

    return operation, runs


@pytest.mark.django_db(transaction=True)
def test_the_victim_of_a_deadlock_goes_again() -> None:
    operation, runs = failing(Deadlock(), times=ATTEMPTS - 1)
    assert operation() == "done"
    assert runs == [True] * ATTEMPTS


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("cause", "times", "seen"), [(Deadlock(), ATTEMPTS, ATTEMPTS), (TooSlow(), 1, 1)])
def test_what_does_not_pass_is_raised(cause: Exception, times: int, seen: int) -> None:
    operation, runs = failing(cause, times)
    with pytest.raises(OperationalError):
        operation()
    assert len(runs) == seen


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_the_database_has_undone_more_than_the_operation() -> None:
    operation, runs = failing(Deadlock(), times=1)
    with pytest.raises(OperationalError), transaction.atomic():
        operation()
    assert len(runs) == 1
