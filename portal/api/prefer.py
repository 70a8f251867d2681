"""The Prefer header (RFC 7240), as far as we know it: `return=representation` where the answer would be empty, and
`wait` where it would be that nothing has happened yet."""

import re

from django.http import HttpRequest

LONGEST_WAIT = 30  # seconds; proxies on the way give up after 60
_WAIT = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?', re.IGNORECASE | re.ASCII)
_RETURN = re.compile(r'return\s*=\s*(?:"([a-z]*)"|([a-z]+))', re.IGNORECASE)


def wants_representation(request: HttpRequest) -> bool:
    """Whether the caller would rather have a body than an empty answer. Of two preferences the first counts."""
    for preference in request.META.get("HTTP_PREFER", "").split(","):
        found = _RETURN.fullmatch(preference.partition(";")[0].strip())
        if found:
            return (found[1] or found[2] or "").lower() == "representation"
    return False


def wanted_wait(request: HttpRequest) -> int:
    """For how many seconds the caller would rather wait than hear that nothing has happened: 30 at most."""
    for preference in request.META.get("HTTP_PREFER", "").split(","):
        found = _WAIT.fullmatch(preference.partition(";")[0].strip())
        if found:
            return min(int(found[1]), LONGEST_WAIT)
    return 0
