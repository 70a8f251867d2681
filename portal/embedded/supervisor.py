"""Keeps the portal's processes running and takes them down in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from portal.embedded.processes import Process, kill_group
from portal.embedded.waiting import wait_until

LONG_LIFE = 60.0  # seconds; who lived that long is not counted as failing
TRIES = 5  # short lives in a row before we give up
FIRST_PAUSE = 1.0  # seconds before the first restart; each further one waits twice as long
LOOK_EVERY = 0.1  # seconds


class GaveUp(Exception):
    """A service ended again and again. The text names it and says how it ended."""


@dataclass
class Service:
    """A process to keep running. Services of a higher `stage` need the lower ones, so they stop first."""

    name: str
    start: Callable[[], Process]
    stage: int
    seconds_to_stop: float
    process: Process | None = None
    failures: int = field(default=0, init=False)
    started_at: float = field(default=0.0, init=False)
    due_at: float = field(default=0.0, init=False)

    def launch(self) -> None:
        self.started_at = time.monotonic()
        self.process = self.start()

    def ended(self) -> bool:
        return self.process is None or self.process.ended()


def how(code: int) -> str:
    """An exit code in words: `exit code 3`, `signal 9`."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


class Supervisor:
    """Starts services, starts them again with growing pauses, stops them all. `say` gets one line per event."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.services: list[Service] = []

    def start(self, service: Service) -> None:
        self.services.append(service)
        service.launch()

    def ended(self) -> Service | None:
        """A service that is not running, if there is one."""
        return next((one for one in self.services if one.ended()), None)

    def watch(self) -> None:
        """Keep everything running. Ends only by an exception: GaveUp, or the one a signal handler raises."""
        while True:
            self.look()
            time.sleep(LOOK_EVERY)

    def look(self) -> None:
        """One round: note who has ended, start again whose pause is over. Raises GaveUp."""
        for service in self.services:
            self._look_at(service)

    def _look_at(self, service: Service) -> None:
        if service.process is None:
            if time.monotonic() >= service.due_at:
                service.launch()
        elif service.process.ended():
            self._plan_restart(service, service.process)

    def _plan_restart(self, service: Service, process: Process) -> None:
        kill_group(process.pid)  # what it had started would hold its port and its work
        ending = how(process.code or 0)
        if time.monotonic() - service.started_at >= LONG_LIFE:
            service.failures = 0
        service.failures += 1
        if service.failures >= TRIES:
            raise GaveUp(f"{service.name} ended {service.failures} times, the last time with {ending}")
        pause = FIRST_PAUSE * 2 ** (service.failures - 1)
        self.say(f"{service.name} ended with {ending}; starting it again in {pause:.0f} s")
        service.process = None
        service.due_at = time.monotonic() + pause

    def stop(self) -> None:
        """Stop everything, highest stage first, the services of one stage together. Nothing is left running."""
        for stage in sorted({service.stage for service in self.services}, reverse=True):
            self._stop_stage([one for one in self.services if one.stage == stage])
        self.services.clear()

    def _stop_stage(self, services: list[Service]) -> None:
        running = [(one, one.process) for one in services if one.process]
        for _, process in running:
            process.ask_to_stop()
        for service, process in running:
            if not wait_until(process.ended, seconds=service.seconds_to_stop):
                self.say(f"{service.name} did not stop in {service.seconds_to_stop:.0f} s and was killed")
            process.kill()
