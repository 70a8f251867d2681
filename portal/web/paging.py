"""Links between the pages of a list."""

from urllib.parse import urlencode

from django.http import HttpRequest

CURSOR = "cursor"


def pager(request: HttpRequest, *, previous_cursor: str | None, next_cursor: str | None) -> dict[str, str]:
    """`previous_url` and `next_url` with the list's filters kept; "" where there is no such page."""
    return {"previous_url": _url(request, previous_cursor), "next_url": _url(request, next_cursor)}


def _url(request: HttpRequest, cursor: str | None) -> str:
    if not cursor:
        return ""
    kept = [(name, value) for name, value in request.GET.items() if name != CURSOR and value]
    return f"{request.path}?{urlencode([*kept, (CURSOR, cursor)])}"


def list_template(request: HttpRequest, template: str) -> str:
    """The whole page, or only its rows when htmx asks to swap them."""
    swaps = request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers
    return f"{template}#rows" if swaps else template
