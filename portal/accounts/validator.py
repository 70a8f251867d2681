"""OAuth Toolkit's questions at the token endpoint, answered by our operations.

Offered: client credentials (banks and merchants) and refresh (mobile applications). Every client proves itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError

from portal.accounts.actors import client_actor
from portal.accounts.models import AccessToken, Application, ApplicationKind, RefreshToken
from portal.accounts.operations.client_login import Credentials, authenticate_client
from portal.accounts.operations.refresh import check_refresh_token, rotate_refresh_token
from portal.accounts.operations.tokens import issue_client_token
from portal.accounts.scopes import ApplicationScopes
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.core.errors import VerificationFailed

CALL = "portal.call"  # a name that no header has
GRANTS: dict[str, str] = {
    ApplicationKind.BANK: "client_credentials",
    ApplicationKind.MERCHANT: "client_credentials",
    ApplicationKind.MOBILE: "refresh_token",
}


@dataclass
class TokenCall:
    """One call of the token endpoint, as its door read it, and what was found out since.

    prove: tells the thumbprint of the key that proves the call, "" for none; asked once, of an authenticated client.
    refused: the refusal is already in the audit log.
    """

    credentials: Credentials | None
    ip: str
    request_id: str
    prove: Callable[[], str]
    client: Application | None = None
    refresh: RefreshToken | None = None
    renewable: frozenset[str] = frozenset()
    proved_key: str = ""
    refused: bool = False

    def acting(self, client: Application) -> Actor:
        """The client, once it is authenticated."""
        return client_actor(client, channel=Channel.OAUTH, ip=self.ip, request_id=self.request_id)


class PortalOAuth2Validator(OAuth2Validator):  # type: ignore[misc]
    """Decides nothing itself: who the client is, what it may have and which token it renews, operations say."""

    def client_authentication_required(self, request: Request, *args: object, **kwargs: object) -> bool:
        return True

    def authenticate_client(self, request: Request, *args: object, **kwargs: object) -> bool:
        call = _call(request)
        try:
            call.client = authenticate_client(credentials=call.credentials, ip=call.ip, request_id=call.request_id)
        except VerificationFailed:
            call.refused = True
            return False
        request.client, request.client_id = call.client, call.client.client_id
        return True

    def authenticate_client_id(self, client_id: str, request: Request, *args: object, **kwargs: object) -> bool:
        """A client id alone proves nothing."""
        return False

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Application, request: Request, *args: object, **kwargs: object
    ) -> bool:
        return GRANTS[client.kind] == grant_type

    def validate_scopes(
        self,
        client_id: str,
        scopes: list[str],
        client: Application,
        request: Request,
        *args: object,
        **kwargs: object,
    ) -> bool:
        return set(scopes) <= set(ApplicationScopes().get_available_scopes(client))

    def get_default_scopes(self, client_id: str, request: Request, *args: object, **kwargs: object) -> list[str]:
        return ApplicationScopes().get_default_scopes(request.client)

    def validate_refresh_token(
        self, refresh_token: str, client: Application, request: Request, *args: object, **kwargs: object
    ) -> bool:
        call = _call(request)
        call.proved_key = call.prove()
        try:
            call.refresh, call.renewable = check_refresh_token(
                actor=call.acting(client), application=client, raw=refresh_token, proved_key=call.proved_key
            )
        except VerificationFailed:
            call.refused = True
            return False
        request.user = call.refresh.user
        return True

    def get_original_scopes(self, refresh_token: str, request: Request, *args: object, **kwargs: object) -> list[str]:
        return sorted(_call(request).renewable)

    def rotate_refresh_token(self, request: Request) -> bool:
        return True

    def save_bearer_token(self, token: dict[str, object], request: Request, *args: object, **kwargs: object) -> None:
        """Keep the new token and complete the answer with what these clients read besides RFC 6749."""
        call = _call(request)
        client: Application = request.client
        if call.refresh is None:
            saved = _granted(call.acting(client), client, token)
        else:
            saved = _renewed(call, call.acting(client), call.refresh, token)
        token.update(extras(saved))


def extras(saved: AccessToken) -> dict[str, object]:
    """What an answer says of the token besides its text; customers and servers administer nothing."""
    return {
        "token_type": "DPoP" if saved.key_thumbprint else "Bearer",
        "scope": saved.scope,
        "user_id": False if saved.user is None else saved.user.public_id,
        "is_admin": False,
        "server_time": int(clock.now().timestamp()),
    }


def _call(request: Request) -> TokenCall:
    call: TokenCall = request.headers[CALL]
    return call


def _lifetime(token: dict[str, object]) -> timedelta:
    return timedelta(seconds=int(str(token["expires_in"])))


def _granted(actor: Actor, client: Application, token: dict[str, object]) -> AccessToken:
    return issue_client_token(
        actor=actor,
        application=client,
        scopes=str(token["scope"]).split(),
        raw=str(token["access_token"]),
        lifetime=_lifetime(token),
    )


def _renewed(call: TokenCall, actor: Actor, refresh: RefreshToken, token: dict[str, object]) -> AccessToken:
    try:
        return rotate_refresh_token(
            actor=actor,
            refresh=refresh,
            scopes=str(token["scope"]).split(),
            raw=str(token["access_token"]),
            refresh_raw=str(token["refresh_token"]),
            lifetime=_lifetime(token),
            proved_key=call.proved_key,
        )
    except VerificationFailed:  # another call with the same refresh token was faster
        call.refused = True
        raise InvalidGrantError from None
