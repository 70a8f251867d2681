"""The schema and the docs page of each dialect; both need no sign-in."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

from portal.api.registry import MOUNTED, Mounted, mounted_as
from portal.api.schema import document

JSON_TYPES = ("application/json", "application/vnd.oai.openapi+json")
YAML_TYPES = ("application/yaml", "application/vnd.oai.openapi")


@dataclass(frozen=True)
class Documented:
    """A dialect, for the page that lists them."""

    name: str
    about: str
    docs_url: str
    schema_url: str


def documented() -> list[Documented]:
    """Every dialect that has a schema, in the order of the alphabet."""
    found = [
        Documented(
            mounted.dialect.title,
            mounted.dialect.about,
            reverse("api-docs", args=[mounted.dialect.name]),
            reverse("api-schema", args=[mounted.dialect.name]),
        )
        for mounted in MOUNTED
        if mounted.has_schema
    ]
    return sorted(found, key=lambda one: one.name)


@require_safe
def schema(request: HttpRequest, name: str) -> HttpResponse:
    """The OpenAPI document: JSON, or YAML for who accepts that rather or asks with `?format=yaml`."""
    made = document(_mounted(name))
    preferred = request.get_preferred_type([*JSON_TYPES, *YAML_TYPES])
    yaml = request.GET.get("format") == "yaml" or preferred in YAML_TYPES
    renderer = OpenApiYamlRenderer() if yaml else OpenApiJsonRenderer()
    written = renderer.render(made)
    return HttpResponse(written, content_type=(YAML_TYPES if yaml else JSON_TYPES)[0])


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """The docs page. Everything on it comes from this server; its script finds the schema in the page."""
    dialect = _mounted(name).dialect
    return render(request, "api/docs.html", {"dialect": dialect, "schema_url": reverse("api-schema", args=[name])})


def _mounted(name: str) -> Mounted:
    mounted = mounted_as(name)
    if mounted is None or not mounted.has_schema:
        raise Http404
    return mounted
