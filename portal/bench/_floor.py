"""What signing over the API is measured against: the token is checked, one certificate signed, one row stored."""

import secrets
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from portal.api.adiba.wire import DIALECT
from portal.api.auth import authenticate
from portal.api.dialect import respond
from portal.bench._bare import bare_builder
from portal.models import JobSlot
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as portal_urls

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@csrf_exempt
def floor(request: HttpRequest) -> HttpResponse:
    """What no implementation can do without."""
    authenticate(request, DIALECT, frozenset({"pki:sign"}))
    signed = bare_builder(_key()).sign(_key(), SHA256()).public_bytes(Encoding.DER)
    with transaction.atomic():
        JobSlot.objects.create(task="bench", slot=secrets.randbits(60))
    return respond(200, {"size": len(signed)})


urlpatterns = [path("v1/device/bench-floor", floor), *portal_urls]
