"""Push messages: the recipient says which service knows it."""

import threading
from functools import cache
from typing import Protocol

from django.conf import settings

from portal.outbox.gateways import apns, fcm
from portal.outbox.gateways.base import GatewayError, Outgoing
from portal.outbox.recipients import push_parts

FIREBASE, APPLE = "gcm", "apns"  # as devices name their services
_guard = threading.Lock()


class Service(Protocol):
    """Takes a message to one handle. Raises GatewayError."""

    def send(self, handle: str, message: Outgoing) -> None: ...


class PushGateway:
    """Sends to `<service>:<handle>`."""

    def send(self, message: Outgoing) -> None:
        name, handle = push_parts(message.recipient)
        service = _service(name)
        if service is None:
            raise GatewayError(f"no gateway for {name}", retry=False)
        service.send(handle, message)


def platforms() -> frozenset[str]:
    """The services that are set up."""
    firebase = {FIREBASE} if settings.FCM_CREDENTIALS else set()
    return frozenset(firebase | ({APPLE} if apns.is_configured() else set()))


def _service(name: str) -> Service | None:
    if name not in platforms():
        return None
    with _guard:  # one service of a kind a process, and so one token
        return _firebase(settings.FCM_CREDENTIALS) if name == FIREBASE else _apple(apns.team_key())


@cache
def _firebase(credentials: str) -> fcm.FcmService:
    return fcm.FcmService(credentials)


@cache
def _apple(team: apns.TeamKey) -> apns.ApnsService:
    return apns.ApnsService(team)
