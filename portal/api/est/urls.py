"""EST's addresses, below `.well-known/est` (RFC 7030 3.2.2), with a bank's code or without."""

from django.urls import path, re_path

from portal.api.est import views

app_name = "est"
_OPERATIONS = {
    "cacerts": views.CaCertsView,
    "csrattrs": views.CsrAttrsView,
    "simpleenroll": views.SimpleEnrollView,
    "simplereenroll": views.SimpleReenrollView,
}
urlpatterns = [
    *(path(name, view.as_view(), name=name) for name, view in _OPERATIONS.items()),
    *(path(f"<slug:label>/{name}", view.as_view(), name=f"{name}-of-bank") for name, view in _OPERATIONS.items()),
    re_path(r"", views.UnknownView.as_view(), name="unknown"),
]
