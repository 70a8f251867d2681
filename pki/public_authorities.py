"""An authority's certificate, for anybody: certificates point to it (RFC 5280 4.2.2.1)."""

from hashlib import sha256
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from pki.models import CertificateAuthority

KEPT_FOR: Final = 7 * 24 * 3600  # seconds; it never changes, and a new key has another address


@csrf_exempt  # nothing here changes anything: another method is 405, not a page about forms
@require_safe
def certificate(request: HttpRequest, key: str) -> HttpResponse:
    """The certificate in DER. An authority that has ended keeps its address: old certificates still point there."""
    found = CertificateAuthority.objects.filter(key_id__startswith=key).values_list("der", flat=True).first()
    if found is None:
        raise Http404
    der = bytes(found)
    etag = f'"{sha256(der).hexdigest()[:32]}"'
    response = get_conditional_response(request, etag=etag) or HttpResponse(der, content_type="application/pkix-cert")
    response["ETag"] = etag
    response["Cache-Control"] = f"max-age={KEPT_FOR}, public, no-transform, immutable"
    return response
