"""Every address of the API."""

from django.urls import URLPattern, URLResolver, path, re_path

from portal.api import docs
from portal.api.asseco.views import UnknownAssecoView
from portal.api.est.views import UnknownView as UnknownEstView
from portal.api.hyphen.views import UnknownHyphenView
from portal.api.peere.views import UnknownPeereView
from portal.api.registry import MOUNTED
from portal.api.spid.views import UnknownSpidView

urlpatterns: list[URLPattern | URLResolver] = [
    *(pattern for mounted in MOUNTED for pattern in mounted.patterns()),
    re_path(r"^v1/device$", UnknownAssecoView.as_view(), name="asseco-root"),
    re_path(r"^(device|auth)/v1$", UnknownHyphenView.as_view(), name="hyphen-root"),
    re_path(r"^api/2$", UnknownSpidView.as_view(), name="spid-root"),
    re_path(r"^v1/(bank|customer)$", UnknownPeereView.as_view(), name="peere-root"),
    re_path(r"^\.well-known/est$", UnknownEstView.as_view(), name="est-root"),
    path("api/<slug:name>/schema", docs.schema, name="api-schema"),
    path("api/<slug:name>/docs", docs.page, name="api-docs"),
]
