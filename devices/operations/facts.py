"""What a caller says about a device, and the rules for it."""

import re
from dataclasses import dataclass
from typing import Final

from devices.models import EXTERNAL_ID_FORM, OWNED_KINDS, ExternalIdKind, Kind, PushPlatform
from portal.core.errors import FieldProblem, InvalidInput
from portal.core.texts import LONGEST_REASON, line_problems, reason_problems

EXTERNAL_ID: Final = EXTERNAL_ID_FORM
IMEI: Final = re.compile(r"[0-9]{14,16}")
MAX_LENGTHS: Final = {
    "external_id": 128,
    "nickname": 64,
    "manufacturer": 64,
    "model": 64,
    "operating_system": 64,
    "app_version": 64,
    "sdk_version": 64,
    "language": 35,  # RFC 5646 4.4.1: what a place for language tags should hold
    "installation_id": 128,
    "push_handle": 4096,  # FCM and APNs tokens are far shorter; no published limit
    "reason": LONGEST_REASON,
}
DESCRIPTIVE: Final = (
    "nickname",
    "manufacturer",
    "model",
    "operating_system",
    "app_version",
    "installation_id",
)


@dataclass(frozen=True, kw_only=True)
class DeviceFacts:
    """A device as its owner describes it. None means "not given": a repeat leaves what is there.

    external_id: 1 to 128 of `[A-Za-z0-9._:-]`. external_id_kind: imei or app-id; "" infers it from the form.
    kind: mobile, tablet or watch. push_platform and push_handle come together.
    """

    external_id: str
    external_id_kind: str = ""
    kind: str | None = None
    nickname: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    operating_system: str | None = None
    app_version: str | None = None
    installation_id: str | None = None
    push_platform: str | None = None
    push_handle: str | None = None

    def check(self) -> None:
        """Raises InvalidInput that names every problem."""
        problems = [
            *_external_id_problems(self.external_id, self.external_id_kind),
            *_choice_problems("kind", self.kind, [kind.value for kind in OWNED_KINDS]),
            *_push_problems(self.push_platform, self.push_handle),
        ]
        for name in DESCRIPTIVE:
            problems += text_problems(name, getattr(self, name))
        if problems:
            raise InvalidInput(fields=tuple(problems))

    @property
    def external_id_kind_or_inferred(self) -> str:
        if self.external_id_kind:
            return self.external_id_kind
        return ExternalIdKind.IMEI if IMEI.fullmatch(self.external_id) else ExternalIdKind.APP_ID

    @property
    def kind_or_inferred(self) -> str:
        if self.kind:
            return self.kind
        text = f"{self.model or ''} {self.operating_system or ''}".casefold()
        if "ipad" in text or "tablet" in text:
            return Kind.TABLET
        return Kind.WATCH if "watch" in text else Kind.MOBILE


def text_problems(field: str, value: str | None, *, required: bool = False) -> list[FieldProblem]:
    """What is wrong with one line of text about a device; None was not given."""
    if field == "reason":
        return reason_problems(value or "", required=required)
    return line_problems(field, value or "", longest=MAX_LENGTHS[field], required=required)


def check_text(field: str, value: str, *, required: bool = False) -> str:
    """The text without outer spaces. Raises InvalidInput."""
    problems = text_problems(field, value, required=required)
    if problems:
        raise InvalidInput(fields=tuple(problems))
    return value.strip()


def check_push(platform: str, handle: str) -> None:
    """Raises InvalidInput unless platform and handle are both good."""
    problems = _push_problems(platform, handle, required=True)
    if problems:
        raise InvalidInput(fields=tuple(problems))


def _external_id_problems(value: str, kind: str) -> list[FieldProblem]:
    problems = _choice_problems("external_id_kind", kind or None, ExternalIdKind.values)
    if not value:
        problems.append(FieldProblem("external_id", "required", "This is required."))
    elif len(value) > MAX_LENGTHS["external_id"]:
        problems.append(FieldProblem("external_id", "max-length", "This has at most 128 characters."))
    elif not EXTERNAL_ID.fullmatch(value):
        problems.append(FieldProblem("external_id", "invalid-format", "Letters, digits and . _ : - are allowed."))
    elif kind == ExternalIdKind.IMEI and not IMEI.fullmatch(value):
        problems.append(FieldProblem("external_id", "invalid-format", "An IMEI has 14 to 16 digits."))
    return problems


def _choice_problems(field: str, value: str | None, choices: list[str]) -> list[FieldProblem]:
    if value is None or value in choices:
        return []
    return [FieldProblem(field, "unknown-enum", f"One of: {', '.join(choices)}.")]


def _push_problems(platform: str | None, handle: str | None, *, required: bool = False) -> list[FieldProblem]:
    if not required and not platform and not handle:
        return []
    if not handle:
        code = "required" if required else "combination-required"
        return [FieldProblem("push_handle", code, "A push platform comes with its handle.")]
    if not platform:
        code = "required" if required else "combination-required"
        return [FieldProblem("push_platform", code, "A push handle comes with its platform.")]
    problems = _choice_problems("push_platform", platform, PushPlatform.values)
    if len(handle) > MAX_LENGTHS["push_handle"]:
        problems.append(FieldProblem("push_handle", "max-length", "This has at most 4096 characters."))
    elif not (handle.isascii() and handle.isprintable() and " " not in handle):
        problems.append(FieldProblem("push_handle", "invalid-format", "A push handle is ASCII without spaces."))
    return problems
