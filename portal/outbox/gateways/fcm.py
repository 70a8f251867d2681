"""Push messages by Firebase Cloud Messaging, HTTP v1, signed in with a service account (RFC 7523)."""

import json
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from django.conf import settings

from portal.core import clock
from portal.outbox.gateways.base import GatewayError, Outgoing, RecipientGone
from portal.outbox.gateways.http import Reply, post
from portal.outbox.gateways.tokens import KeptToken, signed_token

NAME: Final = "FCM"
SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 2.1
ASSERTION_SECONDS: Final = 3600  # Google takes no longer
EARLY: Final = 300.0  # seconds before its end a token is made anew
_WORD: Final = re.compile(r"[A-Z_]{1,40}")


@dataclass(frozen=True)
class ServiceAccount:
    """What Firebase's console gives out as a JSON file."""

    project_id: str
    client_email: str
    key_id: str
    token_uri: str
    private_key: str = field(repr=False)


def read_account(text: str) -> ServiceAccount:
    """Read the file's content. Raises ValueError, which quotes nothing of it."""
    try:
        values = json.loads(text)
        names = ("project_id", "client_email", "private_key_id", "token_uri", "private_key")
        project, email, key_id, uri, key = (str(values[name]) for name in names)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError("not the JSON file of a service account") from None
    account = ServiceAccount(project, email, key_id, uri, key)
    _assertion(account)  # a key that cannot sign is found now
    return account


class FcmService:
    """Firebase, for one service account."""

    def __init__(self, credentials: str) -> None:
        self._account = read_account(credentials)
        self._token = KeptToken(self._fetch_token)

    def send(self, handle: str, message: Outgoing) -> None:
        """A notification that wakes the phone; the application reads `message-id` and `template` from its data."""
        token = self._token.get()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"{settings.FCM_URL}/v1/projects/{quote(self._account.project_id, safe='')}/messages:send"
        reply = post(NAME, url, headers=headers, body=_content(handle, message))
        if reply.is_good:
            return
        if reply.status == 401:
            self._token.drop(token)
        raise _refusal(reply)

    def _fetch_token(self) -> tuple[str, float]:
        form = urlencode({"grant_type": GRANT, "assertion": _assertion(self._account)})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = post("FCM sign-in", self._account.token_uri, headers=headers, body=form.encode())
        answer = reply.json()
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not reply.is_good or not isinstance(token, str) or not isinstance(seconds, int):
            # Not the message's fault, so that it waits until somebody mends the account.
            raise GatewayError(f"FCM sign-in answered {reply.status}", retry=True)
        return token, max(0.0, seconds - EARLY)


def _assertion(account: ServiceAccount) -> str:
    now = int(clock.now().timestamp())
    claims: dict[str, object] = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    return signed_token(account.private_key, {"alg": "RS256", "typ": "JWT", "kid": account.key_id}, claims)


# Wakes an application of Apple's without a word to its owner.
_SILENT: Final = {
    "headers": {"apns-push-type": "background", "apns-priority": "5"},
    "payload": {"aps": {"content-available": 1}},
}


def _content(handle: str, message: Outgoing) -> bytes:
    """A notification, or data alone for what the application shows itself."""
    words: dict[str, object] = {"notification": {"title": message.subject, "body": message.body}}
    content = {
        "token": handle,
        **({"apns": _SILENT} if message.data else words),
        "data": {"message-id": str(message.id), "template": message.template, **message.data},
        "android": {"priority": "HIGH"},
    }
    return json.dumps({"message": content}, ensure_ascii=False).encode()


def _refusal(reply: Reply) -> GatewayError:
    word = _error_code(reply)
    if reply.status == 404 and word == "UNREGISTERED":
        return RecipientGone("FCM answered 404 UNREGISTERED")
    return reply.refusal(NAME, word)


def _error_code(reply: Reply) -> str:
    """FCM's own word, which stands among the details of a refusal; "" without one."""
    error = reply.json().get("error")
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else []:
        word = detail.get("errorCode") if isinstance(detail, dict) else None
        if isinstance(word, str) and _WORD.fullmatch(word):
            return word
    return ""


def problem() -> str:
    """What is wrong with the settings, for the start-up check; "" when nothing is."""
    if not settings.FCM_CREDENTIALS:
        return ""
    try:
        account = read_account(settings.FCM_CREDENTIALS)
    except ValueError:
        return "PORTAL_FCM_CREDENTIALS is not the JSON file of a service account."
    return "" if account.token_uri.startswith("https://") else "PORTAL_FCM_CREDENTIALS names no https address."
