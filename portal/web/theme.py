"""Light or dark: a choice that is kept in the browser, for people who are signed in and those who are not."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portal.web.paths import safe_path

COOKIE: Final = "portal_theme"
THEMES: Final = ("light", "dark")
A_YEAR: Final = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """`light`, `dark`, or "" for what the system prefers."""
    chosen = request.COOKIES.get(COOKIE, "")
    return chosen if chosen in THEMES else ""


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Remember the theme and go back to the page the form stood on. Anything but a theme means the system's."""
    response = redirect(safe_path(request.POST.get("next", "")))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(COOKIE, chosen, max_age=A_YEAR, secure=not settings.DEMO, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(COOKIE, samesite="Lax")
    return response
