"""OpenAPI 3.1, one document per dialect, out of what the views say about themselves (`Call`)."""

from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import patched_settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from portal.api.base import Call, DialectView, call_of
from portal.api.dialect import JSON, Dialect, phrase
from portal.api.registry import Mounted
from portal.api.serializing import Input, Output, Text
from portal.core.errors import RateLimited

VERSION = "1"
BEARER = "bearer"
ALWAYS = (400, 401, 403, 500, 503)  # what every call may answer, besides that it is over the limit
POSTS = (409, 422)  # an Idempotency-Key that is in use, or came with another body
REPEAT = "A repeat with the same key and body gets the first answer."
REPEAT_ONCE = f"{REPEAT} After another body the key is burnt, and no repeat is answered any more."
PRINTABLE = r"^[^\u0000-\u001f\u007f-\u00a0]*$"  # what a schema can say of it; the reader is a little stricter

_lock = Lock()  # the generator reads settings that are patched for each dialect


class DialectSchema(AutoSchema):
    """How one method of a `DialectView` is described."""

    view: DialectView  # type: ignore[override]

    @property
    def call(self) -> Call:
        return call_of(getattr(self.view, self.method.lower()))

    @property
    def dialect(self) -> Dialect:
        return self.view.dialect

    def get_operation_id(self) -> str:
        return f"{type(self.view).__name__.removesuffix('View')}_{self.method.lower()}"

    def get_summary(self) -> str:
        return self.call.summary

    def get_description(self) -> str:  # type: ignore[override]
        if self.view.without_token:
            return self.view.__doc__ or ""
        scopes = " or ".join(f"`{scope}`" for scope in sorted(self.view.scopes_for(self.method)))
        return f"Scope: {scopes}."

    def get_tags(self) -> list[str]:
        return [self.path.split("/")[3].partition(".")[0]]

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [] if self.view.without_token else [{BEARER: []}]

    def map_parsers(self) -> list[str]:
        return list(self.dialect.body_types) or [JSON]

    def get_request_serializer(self) -> type[Input] | None:
        return self.call.body

    def get_override_parameters(self) -> list[Any]:
        call = self.call
        found: list[Any] = [call.query] if call.query is not Input else []
        if self.view.without_token:
            found.append(_header("X-Hyphen-App-Secret", "The application's own secret."))
        if self.method == "POST" and self.view.keeps_answers:
            found.append(_header("Idempotency-Key", REPEAT_ONCE if self.view.secret_body else REPEAT))
        if call.representation:
            found.append(_header("Prefer", "`return=representation` asks for 200 with a body instead of 204."))
        for name, says in call.headers.items():
            found.append(OpenApiParameter(name, str, "header", description=says, response=[call.status]))
        if call.may_wait and self.dialect.waiting:
            says = "Where to ask what became of it, when it waits for a second person"
            found.append(OpenApiParameter("Location", str, "header", description=says, response=[202]))
        return found

    def get_response_serializers(self) -> dict[Any, OpenApiResponse]:  # type: ignore[override]
        call = self.call
        answers: dict[Any, OpenApiResponse] = {call.status: _response(call.status, call.answer)}
        if call.representation:
            answers[200] = _response(200, call.representation)
        if call.may_wait and self.dialect.waiting:
            # A document cannot say "this body or none": where 202 is the answer anyway, words have to do.
            form = None if call.status == 202 else self.dialect.waiting.answer
            says = f"{phrase(202)}; with a body and `Location`: it waits for a second person"
            answers[202] = OpenApiResponse(form, description=says)
        for status in sorted(self._refusals()):
            forms = self.dialect.error_serializers
            answers[status, self.dialect.error_type] = _response(status, forms.get(status, forms[0]))
        return answers

    def _refusals(self) -> set[int]:
        over_the_limit = self.dialect.status_of(RateLimited())
        found = {*ALWAYS, over_the_limit, *self.call.refusals, *(POSTS if self.method == "POST" else ())}
        if self.call.body:
            found |= {413, 415} if self.dialect.body_types else {413}
        return found

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        """Properties under the names of the wire; an input knows no other fields than its own."""
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        name = self.dialect.spelling.name
        if type(serializer).__doc__ in (Input.__doc__, Output.__doc__, None):
            schema.pop("description", None)
        schema["properties"] = {name(ours): value for ours, value in schema.get("properties", {}).items()}
        if "required" in schema:
            schema["required"] = [name(ours) for ours in schema["required"]]
        if isinstance(serializer, Input):
            schema["additionalProperties"] = False
            if serializer.one_of:
                schema["anyOf"] = [{"required": [name(ours)]} for ours in serializer.one_of]
        return schema

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(field, Text) and schema and "pattern" not in schema:
            schema["pattern"] = PRINTABLE
        return schema


def _header(name: str, says: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=says)


def _response(status: int, form: type[serializers.Serializer[Any]] | None) -> OpenApiResponse:
    return OpenApiResponse(form, description=phrase(status))


def _drop(value: object, name: str) -> None:
    """Take a key out of every object inside a value."""
    if isinstance(value, dict):
        value.pop(name, None)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _drop(item, name)


@cache
def document(mounted: Mounted) -> Mapping[str, Any]:
    """The OpenAPI document of a dialect. Made once."""
    dialect = mounted.dialect
    described = {
        "TITLE": dialect.title,
        "DESCRIPTION": dialect.about,
        "VERSION": VERSION,
        "ENFORCE_NON_BLANK_FIELDS": True,
        "POSTPROCESSING_HOOKS": [],
        "APPEND_COMPONENTS": {"securitySchemes": {BEARER: {"type": "http", "scheme": "bearer"}}},
    }
    with _lock, patched_settings(described):
        generator = SchemaGenerator(patterns=mounted.patterns())  # type: ignore[no-untyped-call]
        made: Mapping[str, Any] = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    _drop(made, "x-spec-enum-id")  # marks for a hook that we do not use
    return made
