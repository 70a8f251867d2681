"""The OAuth 2.0 endpoints: token (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), metadata (RFC 8414)."""

import json
from dataclasses import replace
from functools import cache, partial

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from oauth2_provider.settings import oauth2_settings
from oauthlib.oauth2 import BearerToken, ClientCredentialsGrant, OAuth2Error, RefreshTokenGrant, TokenEndpoint

from portal.accounts.actors import client_actor
from portal.accounts.models import AccessToken, Application, ApplicationKind
from portal.accounts.oauth_wire import BadCall, answer, endpoint, read_credentials, read_form, refusal
from portal.accounts.operations.authorization import redeem_code, require_codes
from portal.accounts.operations.client_login import authenticate_client
from portal.accounts.operations.tokens import revoke_token
from portal.accounts.proofs import proved_key
from portal.accounts.scopes import DESCRIPTIONS, STAFF_SCOPES, scopes_of
from portal.accounts.tokens import find_token, reason_dead
from portal.accounts.validator import CALL, GRANTS, PortalOAuth2Validator, TokenCall, extras
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Channel
from portal.core.errors import Forbidden, InvalidInput, InvalidState, NotFound, VerificationFailed
from portal.requests import client_ip, request_id

CODE = "authorization_code"
OFFERED = sorted({*GRANTS.values(), CODE})
PROOFS = ["client_secret_basic", "client_secret_post"]


@endpoint("POST")
def token(request: HttpRequest) -> JsonResponse:
    """Give a client an access token."""
    form = read_form(request)
    credentials = read_credentials(request, form)
    call = TokenCall(credentials, client_ip(request), request_id(request), partial(proved_key, request))
    if "grant_type" not in form:
        raise BadCall("invalid_request", "grant_type is missing.")
    if form["grant_type"] == CODE:
        return _session_for_code(call, form)
    if form["grant_type"] not in OFFERED:
        raise BadCall("unsupported_grant_type", f"Use {' or '.join(OFFERED)}.")
    if form.get("resource", settings.BASE_URL).rstrip("/") != settings.BASE_URL:
        raise BadCall("invalid_target", "Tokens of this server are good at this server only.")
    try:
        _, body, status = _token_endpoint().create_token_response(
            request.path, "POST", sorted(form.items()), {CALL: call}
        )
    except OAuth2Error as error:
        body, status = error.json, error.status_code
    return _token_answer(call, json.loads(body), status)


def _session_for_code(call: TokenCall, form: dict[str, str]) -> JsonResponse:
    """RFC 6749 4.1.3, with the verifier of RFC 7636 4.5."""
    client = authenticate_client(credentials=call.credentials, ip=call.ip, request_id=call.request_id)
    try:
        require_codes(client)  # whoever gets no codes is told that, whatever is missing
        if missing := [name for name in ("code", "redirect_uri", "code_verifier") if name not in form]:
            raise BadCall("invalid_request", f"{missing[0]} is missing.")
        pair = redeem_code(
            actor=call.acting(client),
            application=client,
            code=form["code"],
            redirect_uri=form["redirect_uri"],
            verifier=form["code_verifier"],
        )
    except Forbidden:
        return _token_answer(replace(call, client=client), {"error": "unauthorized_client"}, 400)
    except VerificationFailed:
        return refusal("invalid_grant", "The code is not valid.")
    except (InvalidState, InvalidInput, NotFound) as error:
        audit.refuse(call.acting(client), Event.TOKEN_REFUSED, code=error.code)
        return refusal("invalid_grant", "The code is not valid.")
    return answer(
        {
            "access_token": pair.raw,
            "expires_in": oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS,
            "refresh_token": pair.refresh_raw,
            **extras(pair.token),
        }
    )


@cache
def _token_endpoint() -> TokenEndpoint:
    """oauthlib's token endpoint with the two grants that are offered, and no other."""
    validator = PortalOAuth2Validator()
    bearer = BearerToken(validator, expires_in=oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS)
    grants = {"client_credentials": ClientCredentialsGrant(validator), "refresh_token": RefreshTokenGrant(validator)}
    return TokenEndpoint("client_credentials", bearer, grants)


def _token_answer(call: TokenCall, body: dict[str, object], status: int) -> JsonResponse:
    if status == 200:
        return answer(body)
    error = str(body["error"])
    if call.client is not None and not call.refused:
        audit.refuse(call.acting(call.client), Event.TOKEN_REFUSED, code=error.replace("_", "-"))
    return refusal(error, _DESCRIPTIONS.get(error, "The request is not valid."), status)


_DESCRIPTIONS = {
    "invalid_client": "Client authentication failed.",
    "invalid_grant": "The refresh token is not valid.",
    "invalid_request": "A parameter is missing or not valid.",
    "invalid_scope": "The client cannot have one of these scopes.",
    "unauthorized_client": "The client cannot use this grant.",
}


@endpoint("POST")
def introspect(request: HttpRequest) -> JsonResponse:
    """Tell a client about a token. A bank's server sees all tokens of its bank, others only their own."""
    form, client = _authenticated(request)
    found = find_token(form["token"])
    if found is None or not _may_see(client, found) or reason_dead(found) is not None:
        return answer({"active": False})
    return answer(_described(found))


def _may_see(client: Application, found: AccessToken) -> bool:
    if client.kind != ApplicationKind.BANK:
        return found.application_id == client.pk
    owner = found.application or found.user
    return owner is not None and owner.bank_id == client.bank_id


def _described(found: AccessToken) -> dict[str, object]:
    subject = found.application.client_id if found.application is not None else ""
    described: dict[str, object] = {
        "active": True,
        "scope": " ".join(sorted(scopes_of(found))),
        "token_type": "Bearer",
        "exp": int(found.expires.timestamp()),
        "iat": int(found.created.timestamp()),
        "sub": subject if found.user is None else found.user.public_id,
        "iss": settings.BASE_URL,
        "aud": settings.BASE_URL,
    }
    if subject:
        described["client_id"] = subject
    if found.key_thumbprint:
        described |= {"token_type": "DPoP", "cnf": {"jkt": found.key_thumbprint}}  # RFC 9449 6.2
    if found.device is not None:
        described["device_id"] = found.device.public_id
    return described


@endpoint("POST")
def revoke(request: HttpRequest) -> JsonResponse:
    """End a token of the calling client. An unknown or foreign one is 200 too (RFC 7009 2.2)."""
    form, client = _authenticated(request)
    actor = client_actor(client, channel=Channel.OAUTH, ip=client_ip(request), request_id=request_id(request))
    revoke_token(actor=actor, application=client, raw=form["token"])
    return answer({})


def _authenticated(request: HttpRequest) -> tuple[dict[str, str], Application]:
    form = read_form(request)
    client = authenticate_client(
        credentials=read_credentials(request, form), ip=client_ip(request), request_id=request_id(request)
    )
    if "token" not in form:
        raise BadCall("invalid_request", "token is missing.")
    return form, client


@endpoint("GET", "HEAD")
def metadata(request: HttpRequest) -> JsonResponse:
    """What this server offers, and nothing that it does not."""
    described = {
        "issuer": settings.BASE_URL,
        "token_endpoint": _address("oauth:token"),
        "token_endpoint_auth_methods_supported": PROOFS,
        "introspection_endpoint": _address("oauth:introspect"),
        "introspection_endpoint_auth_methods_supported": PROOFS,
        "revocation_endpoint": _address("oauth:revoke"),
        "revocation_endpoint_auth_methods_supported": PROOFS,
        "grant_types_supported": OFFERED,
        "authorization_endpoint": f"{settings.BASE_URL}/oauth/authorize",
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "response_types_supported": ["code"],
        "scopes_supported": sorted(set(DESCRIPTIONS) - STAFF_SCOPES),
    }
    return JsonResponse(described, headers={"Cache-Control": "public, max-age=300"})


def _address(name: str) -> str:
    return f"{settings.BASE_URL}{reverse(name)}"
