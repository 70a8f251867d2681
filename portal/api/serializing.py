"""Serializers as the doors need them: strict on the way in, wire-shaped on the way out.

Names are ours (snake_case); the dialect spells them. Input serializers only look at form: what a value means is the
operation's business.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from portal.api.spelling import Spelling
from portal.core import clock
from portal.core.errors import FieldProblem, InvalidInput

MOST_PROBLEMS = 20  # of one call; more would only repeat what was sent

# DRF's error codes → ours; all others are a wrong form.
CODES = {
    "required": "required",
    "blank": "required",
    "empty": "required",
    "max_length": "max-length",
    "min_length": "min-length",
    "max_value": "out-of-range",
    "min_value": "out-of-range",
    "invalid_choice": "unknown-enum",
}
MESSAGES = {"required": "This is required.", "blank": "This is required.", "null": "This cannot be null."}

type Values = dict[str, Any]


class Text(serializers.CharField):
    """One line of text. Numbers and booleans are not turned into one; control characters are refused."""

    default_error_messages = {"unprintable": "This has characters that cannot be shown."}

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not data.isprintable():
            self.fail("unprintable")
        return super().to_internal_value(data)


class Verbatim(serializers.CharField):
    """A text that is taken as it is, lines and all; nothing of it is told in a refusal."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Word(serializers.ChoiceField):
    """One of a few words, as text."""

    def __init__(self, choices: Sequence[str], **kwargs: Any) -> None:
        super().__init__(choices=list(choices), **kwargs)
        self.error_messages["invalid_choice"] = f"One of: {', '.join(choices)}."

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input="")
        return str(super().to_internal_value(data))


class Number(serializers.IntegerField):
    """A whole number as JSON writes it; no text, no boolean, no fraction."""

    def to_internal_value(self, data: object) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Switch(serializers.BooleanField):
    """True or false, as JSON spells them: no words, no numbers."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input="")
        return data


class Whole(serializers.IntegerField):
    """A whole number in ASCII digits (Python reads many others)."""

    def to_internal_value(self, data: object) -> int:
        if not isinstance(data, str) or not data.isascii() or not data.isdigit() or len(data) > 9:
            self.fail("invalid")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A time on the way out."""

    def to_representation(self, value: datetime) -> str:
        return clock.rfc3339(value)


class TextOrNull(serializers.CharField):
    """A text on the way out; `null` when it is not set."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_representation(self, value: object) -> str | None:  # type: ignore[override]
        return str(value) or None


class WordOrNull(serializers.ChoiceField):
    """One of a few words on the way out; `null` when it is not set."""

    def __init__(self, choices: Sequence[str], **kwargs: Any) -> None:
        super().__init__(choices=list(choices), allow_null=True, **kwargs)

    def to_representation(self, value: object) -> str | None:  # type: ignore[override]
        return str(value) or None


class Input(serializers.Serializer[Any]):
    """A body or a query as it may be sent. Fields that are not declared are refused.

    one_of: fields of which at least one has to be there; the schema says so, the operation looks.
    """

    one_of: ClassVar[tuple[str, ...]] = ()


class Output(serializers.Serializer[Any]):
    """A body as it is answered."""


@cache
def names_of(kind: type[Input]) -> tuple[str, ...]:
    """The fields an input knows, under our names."""
    return tuple(str(name) for name in kind().fields)


def read(kind: type[Input], sent: Mapping[str, object], spelling: Spelling) -> Values:
    """The values of an input, under our names; what was not sent is not there. Raises InvalidInput, naming all."""
    problems: list[FieldProblem] = []
    serializer = kind(data=_ours(kind, sent, spelling, problems))
    if not serializer.is_valid():
        problems += _problems("", serializer.errors)
    if problems:
        raise InvalidInput(fields=tuple(problems[:MOST_PROBLEMS]))
    return dict(serializer.validated_data)


def _ours(
    kind: type[Input], sent: Mapping[str, object], spelling: Spelling, problems: list[FieldProblem]
) -> dict[str, object]:
    """What was sent under our names, in inputs within inputs too. Unknown fields are added to the problems."""
    ours = {spelling.name(name): name for name in names_of(kind)}
    found: dict[str, object] = {}
    for key, value in sent.items():
        if key not in ours:
            problems.append(FieldProblem(key, "unknown-field", "There is no such field."))
            continue
        inner = _inner_of(kind).get(ours[key])
        found[ours[key]] = _ours(inner, value, spelling, problems) if inner and isinstance(value, Mapping) else value
    return found


@cache
def _inner_of(kind: type[Input]) -> Mapping[str, type[Input]]:
    """The inputs within an input, by our names."""
    return {str(name): type(field) for name, field in kind().fields.items() if isinstance(field, Input)}


def _problems(path: str, errors: object) -> Iterator[FieldProblem]:
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            yield from _problems(f"{path}.{name}".lstrip(".") if name != "non_field_errors" else path, inner)
    elif isinstance(errors, list):
        for inner in errors:
            yield from _problems(path, inner)
    elif isinstance(errors, ErrorDetail):
        yield FieldProblem(
            path, CODES.get(code := str(errors.code), "invalid-format"), MESSAGES.get(code, str(errors))
        )
