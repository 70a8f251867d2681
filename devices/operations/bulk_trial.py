"""What one step would do to many devices, device by device."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from uuid import UUID

from devices.models import Device
from devices.operations.cascade import Cut, Ending, preview_all
from devices.policies import bulk as policies
from devices.policies.bulk import MOST, STEPS, Step
from devices.policies.verdicts import Verdict
from devices.querysets import DeviceQuerySet, read_device_id
from portal.core import ids
from portal.core.actor import Actor
from portal.core.errors import DomainError, InvalidInput, NotFound

CHANGED: Final = "changed"
ALREADY: Final = "already"
REFUSED: Final = "refused"
NO_END: Final = Ending({"sessions": 0})

type Pair = tuple[UUID, Device | None]


@dataclass(frozen=True)
class Line:
    """What the step does to one device. device: None where the actor knows of none by that name.

    outcome: changed, already or refused. error: why it is refused.
    """

    name: UUID
    device: Device | None
    outcome: str
    error: DomainError | None = None

    @property
    def device_id(self) -> str:
        """`DEV_…`."""
        return ids.spell("DEV", self.name)

    @property
    def entry(self) -> dict[str, str]:
        """As it is stored."""
        code, message = (self.error.code, self.error.message) if self.error else ("", "")
        return {"device": self.device_id, "outcome": self.outcome, "code": code, "message": message}


@dataclass(frozen=True)
class Trial:
    """What a step would do now. ended: what would end with the devices that it changes. second_person: why it takes
    one, or ""."""

    step: str
    lines: Sequence[Line]
    ended: Ending
    second_person: str

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(line.outcome for line in self.lines)


def try_many(actor: Actor, *, step: str, device_ids: Sequence[str]) -> Trial:
    """What `switch_many` would do now, device by device. Changes nothing; as many queries for 200 as for one.

    Raises Forbidden and InvalidInput as it does.
    """
    rules = rules_of(actor, step)
    names = names_of(device_ids)
    return trial_of(actor, step, rules, pairs_of(names, devices_named(actor, names)))


def trial_of(actor: Actor, step: str, rules: Step, pairs: Sequence[Pair]) -> Trial:
    """Judge each device as it stands in hand; the locked ones, when the step is taken."""
    judged = [_judged(actor, rules, name, device) for name, device in pairs]
    changing = [(line.device, verdict) for line, verdict in judged if line.outcome == CHANGED and line.device]
    why = policies.second_person(actor, rules, len(judged), [verdict for _, verdict in changing])
    devices = [device for device, _ in changing]
    ended = preview_all(devices, Cut.OFF) if rules.ends_access and devices else NO_END
    return Trial(step, [line for line, _ in judged], ended, why)


def _judged(actor: Actor, rules: Step, name: UUID, device: Device | None) -> tuple[Line, Verdict]:
    if device is None:
        verdict = Verdict(NotFound("There is no such device."))
        return Line(name, None, REFUSED, verdict.error), verdict
    verdict = policies.verdict_of(actor, rules, device)
    if policies.is_so(device, rules.status):
        return Line(name, device, ALREADY), verdict
    if verdict.allowed or verdict.needs_second_person:
        return Line(name, device, CHANGED), verdict
    return Line(name, device, REFUSED, verdict.error), verdict


def rules_of(actor: Actor, step: str) -> Step:
    """The step's rules, for who may take it. Raises InvalidInput, Forbidden."""
    if step not in STEPS:
        raise InvalidInput.at("step", "unknown-enum", f"One of: {', '.join(STEPS)}.")
    rules = STEPS[step]
    policies.may_switch_many(actor, rules).require()
    return rules


def names_of(device_ids: Sequence[str]) -> list[UUID]:
    """The devices that are named, each once. Raises InvalidInput."""
    keys = [read_device_id(text) for text in device_ids]
    names = list(dict.fromkeys(key for key in keys if key))
    if None in keys:
        raise InvalidInput.at("device_ids", "invalid-format", "Devices are named by DEV_… or by UUID here.")
    if not names:
        raise InvalidInput.at("device_ids", "required", "Choose at least one device.")
    if len(names) > MOST:
        raise InvalidInput.at("device_ids", "out-of-range", f"At most {MOST} devices at once.")
    return names


def devices_named(actor: Actor, names: Sequence[UUID]) -> DeviceQuerySet:
    """Those that the actor may know of, in the order of their keys: two runs that lock them never wait for each
    other."""
    found = Device.objects.visible_to(actor).filter(pk__in=names)
    return found.select_related("owner", "issued").order_by("pk")


def pairs_of(names: Sequence[UUID], found: Iterable[Device]) -> list[Pair]:
    """Each name with its device, in the order they were named."""
    devices = {device.pk: device for device in found}
    return [(name, devices.get(name)) for name in names]
