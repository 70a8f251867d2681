"""The demo provider's addresses: an ID token for the asking, and the three of a sign-in in a browser."""

import hashlib
import json
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.models import User
from portal.core import base64url
from portal.demo import provider
from twofa.models import IdentityProvider

SALT = "demo.provider"
CALLBACK = "/oauth/callback"


def _only_in_the_demo() -> None:
    if not settings.DEMO_PROVIDER:
        raise Http404


@require_GET
def keys(request: HttpRequest) -> HttpResponse:
    _only_in_the_demo()
    return HttpResponse(provider.key_set(), content_type="application/jwk-set+json")


@csrf_exempt  # no cookie counts here
@require_POST
def id_token(request: HttpRequest) -> JsonResponse:
    """`{"customerNumber": …}` → `{"idToken": …}`: what a bank's own sign-in would end with."""
    _only_in_the_demo()
    try:
        number = json.loads(request.body)["customerNumber"]
    except (ValueError, KeyError, TypeError):
        return JsonResponse({"error": "customerNumber is missing"}, status=400)
    return JsonResponse({"method": provider.NAME, "idToken": provider.sign(str(number)[:64])})


@require_GET
def authorize(request: HttpRequest) -> HttpResponse:
    """A page with the demo's customers: whoever is chosen has signed in."""
    _only_in_the_demo()
    asked = {name: request.GET.get(name, "") for name in ("state", "nonce", "code_challenge", "redirect_uri")}
    if asked["redirect_uri"] != f"{settings.BASE_URL}{CALLBACK}":
        raise Http404
    banks = IdentityProvider.objects.filter(name=provider.NAME).values_list("bank_id", flat=True)
    people = User.objects.customers().filter(bank_id__in=list(banks)).order_by("customer_number")
    found = [(person, _link(person, asked)) for person in people.select_related("bank")]
    return render(request, "demo/provider.html", {"people": found})


def _link(person: User, asked: dict[str, str]) -> str:
    code = signing.dumps([person.customer_number, asked["nonce"], asked["code_challenge"]], salt=SALT)
    return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': provider.issuer()})}"


@csrf_exempt  # as above
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """Its token endpoint: the code of `authorize` for an ID token, with PKCE."""
    _only_in_the_demo()
    try:
        number, nonce, challenge = signing.loads(request.POST.get("code", ""), salt=SALT, max_age=60)
    except signing.BadSignature:
        return JsonResponse({"error": "invalid_grant"}, status=400)
    digest = hashlib.sha256(request.POST.get("code_verifier", "").encode()).digest()
    if base64url.encode(digest) != challenge:
        return JsonResponse({"error": "invalid_grant"}, status=400)
    answer = {"id_token": provider.sign(number, nonce=nonce), "token_type": "Bearer", "access_token": "none"}
    return JsonResponse(answer)
