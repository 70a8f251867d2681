"""The Prefer header (RFC 7240), as far as we know it: `return=representation` where the answer would be empty."""

import re

from django.http import HttpRequest

_RETURN = re.compile(r'return\s*=\s*(?:"([a-z]*)"|([a-z]+))', re.IGNORECASE)


def wants_representation(request: HttpRequest) -> bool:
    """Whether the caller would rather have a body than an empty answer. Of two preferences the first counts."""
    for preference in request.META.get("HTTP_PREFER", "").split(","):
        found = _RETURN.fullmatch(preference.partition(";")[0].strip())
        if found:
            return (found[1] or found[2] or "").lower() == "representation"
    return False
