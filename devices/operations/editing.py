"""A device describes itself anew, in part: what is not said stays."""

from dataclasses import dataclass
from typing import Final

from devices import policies
from devices.models import Device, PushPlatform
from devices.operations.describing import Changes, apply, save_changes
from devices.operations.facts import check_push, text_problems
from devices.operations.push import keep_push_handle, remove_push_handle
from devices.systems import NAMES, read_system
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput
from portal.races import retried_on_conflict

_TEXTS: Final = ("nickname", "manufacturer", "model", "sdk_version", "language")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What is said anew; None was not said, and an empty text clears.

    nickname, manufacturer, model, sdk_version: up to 64 characters. language: a language tag, up to 35. os_name: one
    of `devices.systems.NAMES`. os_version: what follows it, both together up to 64. firebase_token: where push
    messages go, up to 4096 ASCII characters without spaces.
    """

    nickname: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    os_name: str | None = None
    os_version: str | None = None
    sdk_version: str | None = None
    language: str | None = None
    firebase_token: str | None = None

    def check(self) -> None:
        """Raises InvalidInput that names every problem."""
        problems = [problem for name in _TEXTS for problem in text_problems(name, getattr(self, name))]
        if self.os_name is not None and self.os_name not in NAMES:
            problems.append(FieldProblem("os_name", "unknown-enum", f"One of: {', '.join(NAMES)}."))
        if problems:
            raise InvalidInput(fields=tuple(problems))
        if self.firebase_token:
            check_push(PushPlatform.GCM, self.firebase_token)


@retried_on_conflict
def edit_device(*, actor: Actor, device_id: str, edit: Edit) -> Device:
    """Describe an owned device anew (Hyphen's description, "Edit device"). What is so already writes nothing.

    An empty `firebase_token` removes the device's Firebase handle and no other service's. Raises InvalidInput,
    Forbidden, NotFound, InvalidState for a retired device; Conflict `nickname-not-unique`,
    `valid-push-registration-exist`.
    """
    policies.may_edit(actor).require()
    edit.check()
    device = Device.objects.visible_to(actor).owned().for_change(device_id, actor.bank_id)
    policies.edit(actor, device).require()
    changes = apply(device, _described(device, edit))
    return save_changes(actor, device, changes | _push(device, edit.firebase_token))


def _described(device: Device, edit: Edit) -> dict[str, str]:
    given = {name: getattr(edit, name) for name in _TEXTS}
    values: dict[str, str] = {name: value.strip() for name, value in given.items() if value is not None}
    if edit.os_name is not None or edit.os_version is not None:
        values["operating_system"] = _system(device, edit)
    return values


def _system(device: Device, edit: Edit) -> str:
    """Name and version as one text; of two that are told apart on the way out, either may be said alone."""
    system = read_system(device.operating_system, device.manufacturer)
    text = system.text(name=edit.os_name, version=edit.os_version)
    if problems := text_problems("operating_system", text):
        raise InvalidInput(fields=tuple(problems))
    return text


def _push(device: Device, firebase_token: str | None) -> Changes:
    if firebase_token:
        return keep_push_handle(device, PushPlatform.GCM, firebase_token)
    if firebase_token == "" and device.push_platform == PushPlatform.GCM:
        return remove_push_handle(device)
    return {}
