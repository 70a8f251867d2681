"""What anybody may fetch: revocation lists and OCSP. It is signed itself, so it comes over plain http, too.

Nothing here writes to the database, and no input makes an error of ours: OCSP answers say what is wrong in their own
words (RFC 6960 2.3), under status 200.
"""

import hashlib
import time
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final

from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from pki.authority import issuer_of
from pki.models import CertificateAuthority, PublishedCrl
from pki.operations.ocsp import sign_now
from pki.queries.status import stored_answer
from pki.x509.ocsp import MALFORMED, TRY_LATER, UNAUTHORIZED
from pki.x509.ocsp_requests import MalformedRequest, OcspRequest, from_path, parse_request, plain_serial
from pki.x509.orders import Issuer
from portal.requests import CutOff, whole_body

CACHED_FOR: Final = 300  # seconds: what was revoked meanwhile is not believed longer because of a cache
LARGEST_POST: Final = 8 * 1024  # bytes; a request with one certificate has less than 300
_ANSWER: Final = "application/ocsp-response"
_KNOWN_FOR: Final = 60.0  # seconds; an authority's certificate never changes, only whether it still answers

_authorities: dict[str, tuple[CertificateAuthority, Issuer, float]] = {}


@csrf_exempt  # nothing here changes anything: another method is 405, not a page about forms
@require_safe
def crl(request: HttpRequest, key: str) -> HttpResponse:
    """The list with the highest number. 304 for who has it."""
    rows = PublishedCrl.objects.filter(authority__key_id__startswith=key).order_by("-number")
    found = rows.values_list("pk", "number", "this_update", "next_update").first()
    if found is None:
        raise Http404
    pk, number, this_update, next_update = found
    etag = f'"{key}-{number}"'
    since, until = int(this_update.timestamp()), int(next_update.timestamp())
    response = get_conditional_response(request, etag=etag, last_modified=since)
    if response is None:
        der = PublishedCrl.objects.values_list("der", flat=True).get(pk=pk)
        response = HttpResponse(bytes(der), content_type="application/pkix-crl")
        response["Content-Disposition"] = f'inline; filename="{key}.crl"'
    return _cached(response, etag, since, until)


def _never_broken(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """What does not work right now is `tryLater`, not a page of ours that no client reads."""

    @wraps(view)
    def answered(request: HttpRequest, **kwargs: str) -> HttpResponse:
        try:
            return view(request, **kwargs)
        except DatabaseError:
            return _plain(TRY_LATER)

    return answered


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@_never_broken
def ocsp(request: HttpRequest, key: str, encoded: str = "") -> HttpResponse:
    """Answer one question about one certificate (RFC 6960, RFC 5019)."""
    try:
        data = _body(request) if request.method == "POST" else from_path(encoded.lstrip("/"))
        authority, issuer = _authority(key)
        serial = plain_serial(data, issuer) if issuer else None
        asked = parse_request(data) if serial is None else None
    except MalformedRequest:
        return _plain(MALFORMED)
    if authority is None or issuer is None or (asked and not asked.certificate.is_of(issuer)):
        return _plain(UNAUTHORIZED)
    # Stored answers name certificates by SHA-1: clients compare the whole name, its hash included.
    if asked and asked.nonce is None and asked.certificate.algorithm == "sha1":
        serial = asked.certificate.serial
    stored = _stored(request, authority, serial) if serial else None
    return stored or _signed(authority, asked or parse_request(data))


def _body(request: HttpRequest) -> bytes:
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_POST:
            raise MalformedRequest("too long")
        return whole_body(request)
    except (CutOff, RequestDataTooBig, OSError, ValueError) as error:
        raise MalformedRequest("no body") from error


def _authority(key: str) -> tuple[CertificateAuthority, Issuer] | tuple[None, None]:
    """The authority, or a root, that still answers; looked up once a minute and process."""
    now = time.monotonic()
    known = _authorities.get(key)
    if known is not None and now < known[2]:
        return known[:2]
    found = CertificateAuthority.objects.answering().filter(key_id__startswith=key).first()
    if found is None:
        _authorities.pop(key, None)
        return None, None
    issuer = issuer_of(found)
    _authorities[key] = (found, issuer, now + _KNOWN_FOR)
    return found, issuer


def _stored(request: HttpRequest, authority: CertificateAuthority, serial: int) -> HttpResponse | None:
    found = stored_answer(authority.pk, serial, time.time())
    if found is None:
        return None
    der, since, until = found
    etag = _tag(der)
    response = None
    if request.method != "POST" and _is_conditional(request):
        response = get_conditional_response(request, etag=etag, last_modified=since)
    return _cached(response or HttpResponse(der, content_type=_ANSWER), etag, since, until)


def _is_conditional(request: HttpRequest) -> bool:
    return "HTTP_IF_NONE_MATCH" in request.META or "HTTP_IF_MODIFIED_SINCE" in request.META


def _tag(der: bytes) -> str:
    return f'"{hashlib.sha256(der).hexdigest()[:32]}"'


def _signed(authority: CertificateAuthority, asked: OcspRequest) -> HttpResponse:
    der, until = sign_now(authority, asked)
    if until is None:
        return _plain(der)
    return _cached(_plain(der), _tag(der), int(time.time()), int(until.timestamp()))


def _plain(der: bytes) -> HttpResponse:
    return HttpResponse(der, content_type=_ANSWER, headers={"Cache-Control": "no-store"})


def _cached(response: HttpResponse, etag: str, since: int, until: int) -> HttpResponse:
    """RFC 5019 6.2. Caches go by max-age, which is short; Expires says how long the answer itself is good.

    Times are seconds of Unix time.
    """
    left = max(0, int(until - time.time()))
    headers = response.headers
    headers["ETag"] = etag
    headers["Last-Modified"] = _date(since)
    headers["Expires"] = _date(until)
    headers["Cache-Control"] = f"max-age={min(CACHED_FOR, left)}, public, no-transform, must-revalidate"
    return response


@lru_cache(maxsize=1024)  # answers are signed in batches: many have the same times
def _date(seconds: int) -> str:
    return http_date(seconds)
