"""The fair lock before SQLite's BEGIN."""

import threading
import time

import pytest
from django.db import DatabaseError, connection, connections, transaction

from portal.accounts.models import Bank
from portal.sqlite.base import FairLock


def test_the_lock_is_handed_over_in_the_order_it_was_asked_for() -> None:
    lock = FairLock()
    lock.acquire(1)
    order: list[int] = []

    def wait(number: int) -> None:
        assert lock.acquire(10)
        order.append(number)
        lock.release()

    threads = []
    for number in range(20):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while len(lock._waiting) <= number:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join()
    assert order == list(range(20))


def test_a_turn_that_does_not_come_in_time_is_given_up() -> None:
    lock = FairLock()
    lock.acquire(1)
    assert not lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0.01)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's lock")
@pytest.mark.django_db(transaction=True)
def test_sixty_four_writers_all_get_their_turn() -> None:
    errors: list[Exception] = []

    def write(number: int) -> None:
        try:
            for row in range(5):
                with transaction.atomic():
                    Bank.objects.create(code=f"b-{number}-{row}", name="x")
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Bank.objects.count() == 320


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's lock")
@pytest.mark.django_db(transaction=True)
def test_the_turn_is_given_back_after_a_rollback_and_after_close() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        raise RuntimeError
    connection.set_autocommit(False)
    connection.close()
    with transaction.atomic():
        Bank.objects.create(code="b", name="x")
    assert Bank.objects.count() == 1
