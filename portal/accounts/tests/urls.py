"""Addresses for these tests: the OAuth endpoints, and pages that use a session."""

from django.contrib.auth import login, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django_otp import login as otp_login

from portal.accounts.models import User
from portal.accounts.oauth_urls import well_known


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.session.get("word", "")))


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("plain")


def write(request: HttpRequest) -> HttpResponse:
    request.session["word"] = request.GET.get("word", "kept")
    return HttpResponse(request.session["word"])


def sign_in(request: HttpRequest) -> HttpResponse:
    user = User.objects.get(username=request.GET["username"])
    login(request, user, backend="portal.accounts.backends.StaffBackend")
    if "verified" in request.GET:
        otp_login(request, user.totp)
    return HttpResponse("in")


def new_password(request: HttpRequest) -> HttpResponse:
    user = request.user
    user.set_password("another long password")
    user.save()
    update_session_auth_hash(request, user)  # type: ignore[arg-type]
    return HttpResponse("changed")


def leave(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse("out")


def whoami(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not user.is_authenticated:
        return HttpResponse("nobody")
    return HttpResponse(f"{user.name} {'verified' if user.is_verified() else 'half'}")  # type: ignore[attr-defined]


urlpatterns = [
    path("oauth/", include("portal.accounts.oauth_urls")),
    *well_known,
    path("page", page),
    path("plain", plain),
    path("write", write),
    path("sign-in", sign_in),
    path("new-password", new_password),
    path("leave", leave),
    path("whoami", whoami),
    path("v1/write", write),
    path("v1/whoami", whoami),
]
