"""PIN checks: how long another endpoint takes while many PINs are checked, against how long it takes alone.

A whole portal runs for it, with the real server, pool and database; the callers are processes of their own. Each PIN
check is a PIN change: one Argon2id to check the current PIN and one for the new one.
"""

import math
import secrets
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from portal.bench._running import Caller, running_portal

PINS: Final = ("194738", "507392")
PROBES: Final = 4  # callers of the other endpoint
WARM_UP: Final = 1.0  # seconds that are not measured


@dataclass(frozen=True)
class Phone:
    """A device with a PIN, and a token of its owner's."""

    device_id: str
    token: str


@dataclass(frozen=True)
class Load:
    """What came of the PIN checks: answers by status, in so many seconds."""

    answers: Counter[int]
    seconds: float


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--parallel", type=int, default=50, help="PIN checks at once (default: 50)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure each (default: 10)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Measure the status call alone, then during PIN checks; a line for each, and the ratio of their p95."""
    parallel, seconds = int(str(options["parallel"])), float(str(options["seconds"]))
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder, running_portal(Path(folder)) as (port, demo):
        phones = _phones(port, demo, parallel)
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as callers:
            alone = callers.submit(_probe, port, phones[0], seconds).result()
            yield _line("status, alone", alone)
            checks = callers.submit(_check_pins, port, phones, seconds + 2 * WARM_UP)
            busy = callers.submit(_probe, port, phones[0], seconds).result()
            load = checks.result()
        yield _line(f"status, during {parallel} PIN checks", busy)
        yield _load_line(load)
        yield f"p95 during / alone: {_percentile(busy, 95) / _percentile(alone, 95):.2f}"


def _phones(port: int, demo: Mapping[str, Any], number: int) -> list[Phone]:
    """So many devices of the demo's first customer, registered, activated and given a PIN as anybody would."""
    owner = demo["customers"][0]
    server = next(row for row in demo["applications"] if (row["bank"], row["kind"]) == (owner["bank"], "bank"))
    with closing(Caller(port)) as caller:
        return [_phone(caller, owner["access_token"], server["access_token"]) for _ in range(number)]


def _phone(caller: Caller, token: str, bank: str) -> Phone:
    name = f"bench.{secrets.token_hex(8)}"
    caller.must("/v1/device/owned-devices", token, {"external-device-identifier": name})
    switch = {"deviceId": name, "action": "ACTIVATE", "reason": "measured"}
    device_id = caller.must("/v1/device/status", bank, switch)["deviceId"]
    caller.must("/v1/device/pin", token, {"deviceId": device_id, "pin": PINS[0], "confirmPin": PINS[0]})
    return Phone(device_id, token)


def _together(number: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(position,)) for position in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _probe(port: int, phone: Phone, seconds: float) -> list[float]:
    """Milliseconds of each status call, by a few callers that ask again at once."""
    taken: list[float] = []
    begin = time.monotonic() + WARM_UP

    def ask(_: int) -> None:
        path = f"/v1/device/status?deviceId={phone.device_id}"
        with closing(Caller(port)) as caller:
            while (now := time.monotonic()) < begin + seconds:
                status, data = caller.call("GET", path, phone.token)
                if status != 200:
                    raise RuntimeError(f"the status call answered {status}: {data[:200]!r}")
                if now >= begin:
                    taken.append((time.monotonic() - now) * 1000)

    _together(PROBES, ask)
    return taken


def _check_pins(port: int, phones: Sequence[Phone], seconds: float) -> Load:
    """Change each phone's PIN to and fro, all at once. Who is told to come back waits as long as it is told."""
    answers: list[int] = []
    begin = time.monotonic()

    def change(position: int) -> None:
        phone, current, new = phones[position], *PINS
        with closing(Caller(port)) as caller:
            while time.monotonic() < begin + seconds:
                body = {"deviceId": phone.device_id, "currentPin": current, "newPin": new, "confirmNewPin": new}
                status, _ = caller.call("POST", "/v1/device/pin/change", phone.token, body)
                answers.append(status)
                if status == 200:
                    current, new = new, current
                elif status == 429:
                    time.sleep(1)

    _together(len(phones), change)
    return Load(Counter(answers), time.monotonic() - begin)


def _percentile(values: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _line(what: str, taken: Sequence[float]) -> str:
    p50, p95 = _percentile(taken, 50), _percentile(taken, 95)
    return f"{what}: p50 {p50:.1f} ms, p95 {p95:.1f} ms ({len(taken)} calls)"


def _load_line(load: Load) -> str:
    done, busy = load.answers[200], load.answers[429]
    failed = sum(load.answers.values()) - done - busy
    rate = done / load.seconds
    return f"PINs changed: {done} ({rate:.1f} a second), told to come back: {busy}, failed: {failed}"
