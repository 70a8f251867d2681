"""Every address of the API."""

from django.urls import URLPattern, URLResolver, path, re_path

from portal.api import docs
from portal.api.asseco.views import UnknownAssecoView
from portal.api.registry import MOUNTED

urlpatterns: list[URLPattern | URLResolver] = [
    *(pattern for mounted in MOUNTED for pattern in mounted.patterns()),
    re_path(r"^v1/device$", UnknownAssecoView.as_view(), name="asseco-root"),
    path("api/<slug:name>/schema", docs.schema, name="api-schema"),
    path("api/<slug:name>/docs", docs.page, name="api-docs"),
]
