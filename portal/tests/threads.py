"""Many real threads that start at the same moment."""

import threading
from collections.abc import Callable

from django.db import connections


def race[R](count: int, work: Callable[[int], R]) -> list[R | Exception]:
    """Call `work(number)` in `count` threads at once. Returns what each returned or raised, by number."""
    outcomes: dict[int, R | Exception] = {}
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            outcomes[number] = work(number)
        except Exception as error:  # noqa: BLE001  an outcome like any other
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(count)]
