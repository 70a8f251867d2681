"""Push messages by Apple's service: HTTP/2, signed in with a token of the team's key."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from django.conf import settings

from portal.core import clock
from portal.outbox.gateways.base import GatewayError, Outgoing, RecipientGone
from portal.outbox.gateways.http import Reply, post
from portal.outbox.gateways.tokens import KeptToken, signed_token

NAME: Final = "APNs"
# Apple refuses tokens older than an hour, and a team that makes more than one in 20 minutes.
TOKEN_SECONDS: Final = 45 * 60.0
HANDLE: Final = re.compile(r"[0-9a-fA-F]{2,400}")  # hex of a variable length, says Apple
_TOKEN_REFUSED: Final = frozenset({"ExpiredProviderToken", "InvalidProviderToken", "MissingProviderToken"})
_WORD: Final = re.compile(r"[A-Za-z]{1,40}")


@dataclass(frozen=True)
class TeamKey:
    """key: the .p8 file's text. key_id, team_id: ten characters each. topic: the application's bundle id."""

    key_id: str
    team_id: str
    topic: str
    key: str = field(repr=False)


class ApnsService:
    """Apple's service, for one application. Raises ValueError for a key that cannot sign."""

    def __init__(self, team: TeamKey) -> None:
        self._team = team
        self._token = KeptToken(self._make_token)
        self._make_token()

    def send(self, handle: str, message: Outgoing) -> None:
        """A notification with title and text. A repeat has the same `apns-id`."""
        if not HANDLE.fullmatch(handle):
            raise GatewayError("not a handle of APNs", retry=False)
        token = self._token.get()
        headers = {
            "authorization": f"bearer {token}",
            "apns-id": str(message.key),
            "apns-topic": self._team.topic,
            "apns-push-type": "alert",
            "apns-priority": "10",
            "content-type": "application/json",
        }
        reply = post(
            NAME, f"{settings.APNS_URL}/3/device/{handle}", headers=headers, body=_content(message), http2=True
        )
        if reply.is_good:
            return
        reason = _reason(reply)
        if reason in _TOKEN_REFUSED:
            self._token.drop(token)
        raise _refusal(reply, reason)

    def _make_token(self) -> tuple[str, float]:
        claims: dict[str, object] = {"iss": self._team.team_id, "iat": int(clock.now().timestamp())}
        return signed_token(self._team.key, {"alg": "ES256", "kid": self._team.key_id}, claims), TOKEN_SECONDS


def _content(message: Outgoing) -> bytes:
    words = {"title": message.subject} if message.data else {"title": message.subject, "body": message.body}
    content = {
        "aps": {"alert": words, "sound": "default"},
        "message-id": str(message.id),
        "template": message.template,
        **message.data,
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _reason(reply: Reply) -> str:
    word = reply.json().get("reason")
    return word if isinstance(word, str) and _WORD.fullmatch(word) else ""


def _refusal(reply: Reply, reason: str) -> GatewayError:
    if reply.status == 410:
        return RecipientGone(f"APNs answered 410 {reason}".strip(), since=_noticed(reply))
    if reason in _TOKEN_REFUSED:  # ours, not the message's
        return GatewayError(f"APNs answered {reply.status} {reason}", retry=True)
    return reply.refusal(NAME, reason)


def _noticed(reply: Reply) -> datetime | None:
    """When Apple found the handle to be dead: milliseconds since 1970."""
    moment = reply.json().get("timestamp")
    if not isinstance(moment, int) or not 0 < moment < 2**43:
        return None
    return datetime.fromtimestamp(moment / 1000, UTC)


def team_key() -> TeamKey:
    """The key as the settings have it."""
    return TeamKey(settings.APNS_KEY_ID, settings.APNS_TEAM_ID, settings.APNS_TOPIC, settings.APNS_KEY)


def is_configured() -> bool:
    return bool(settings.APNS_KEY)


def problem() -> str:
    """What is wrong with the settings, for the start-up check; "" when nothing is."""
    if not is_configured():
        return ""
    team = team_key()
    if not (team.key_id and team.team_id and team.topic):
        return "PORTAL_APNS_KEY comes with PORTAL_APNS_KEY_ID, PORTAL_APNS_TEAM_ID and PORTAL_APNS_TOPIC."
    try:
        ApnsService(team)
    except ValueError:
        return "PORTAL_APNS_KEY is not the .p8 file of a team's key."
    return ""
