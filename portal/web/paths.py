"""Where a form may send the browser afterwards: to our own pages only."""

from typing import Final

from django.utils.http import url_has_allowed_host_and_scheme

HOME: Final = "/"
LONGEST: Final = 2000


def safe_path(wanted: str | None, default: str = HOME) -> str:
    """`wanted` when it is a path on this site, else `default`."""
    if not wanted or len(wanted) > LONGEST or not wanted.startswith("/") or not wanted.isprintable():
        return default
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else default
