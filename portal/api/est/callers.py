"""Who enrols: a device, by a token that is bound to it or by the certificate it has."""

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import HttpRequest

from devices.operations.activity import note_activity
from pki.models import Certificate
from pki.operations.rotation_proof import note_use
from portal.accounts.actors import device_actor
from portal.api import auth
from portal.api.est.client_certificate import find_certificate, is_good, shown
from portal.api.est.wire import DIALECT
from portal.core.actor import Actor
from portal.core.errors import Forbidden, Unauthenticated
from portal.requests import client_ip, request_id

SCOPES: Final = frozenset({"certificates"})


@dataclass(frozen=True)
class Caller:
    """A device, acting for its owner. by_certificate: a trusted proxy saw it sign with its certificate's key."""

    actor: Actor
    device_id: UUID
    by_certificate: bool = False


def caller_of(request: HttpRequest) -> Caller:
    """The device that calls. A token counts before a certificate; both have to be the same device's.

    Raises Unauthenticated (`certificate-not-accepted`), Forbidden (`token-not-bound`,
    `certificate-of-another-device`) and what `authenticate` raises.
    """
    sent = shown(request)
    certificate = find_certificate(sent) if sent else None
    if auth.identify(request, DIALECT) is None and sent:
        return _by_certificate(request, sent, certificate)
    actor, _, _ = auth.authenticate(request, DIALECT, SCOPES)
    if actor.device_id is None:
        raise Forbidden("Only a device enrols: the token has to be bound to one.", code="token-not-bound")
    if certificate is not None and certificate.device_id != actor.device_id:
        raise Forbidden("The certificate is another device's.", code="certificate-of-another-device")
    _note_use(actor, certificate)
    request.actor = actor  # type: ignore[attr-defined]  # for the request log
    return Caller(actor, actor.device_id, by_certificate=certificate is not None and is_good(certificate))


def _by_certificate(request: HttpRequest, sent: str, certificate: Certificate | None) -> Caller:
    actor = _actor(request, sent, certificate)
    auth.remember(request, auth.Bearer(None, actor))
    if certificate is None or not is_good(certificate):
        auth.count(f"address:{client_ip(request)}", DIALECT.limit)
        raise Unauthenticated("This certificate is not accepted.", code="certificate-not-accepted", bearer_sent=True)
    auth.count(f"certificate:{certificate.pk}", DIALECT.limit)
    note_activity(certificate.device)
    _note_use(actor, certificate)
    request.actor = actor  # type: ignore[attr-defined]
    return Caller(actor, certificate.device_id, by_certificate=True)


def _note_use(actor: Actor, certificate: Certificate | None) -> None:
    """The proxy saw the client sign with its key: if that was the first time, the one before it has had its day."""
    if certificate is not None and is_good(certificate):
        note_use(actor, certificate)


def _actor(request: HttpRequest, sent: str, certificate: Certificate | None) -> Actor:
    """A certificate nobody knows makes an anonymous actor, named so that its refusals can be put together."""
    ip, name = client_ip(request), request_id(request)
    if certificate is None:
        label = f"unknown certificate {hashlib.sha256(sent.encode(errors='replace')).hexdigest()[:12]}"
        return Actor.anonymous(DIALECT.channel, ip=ip, request_id=name, label=label)
    actor = device_actor(
        certificate.device.owner,
        certificate.device_id,
        scopes=SCOPES,
        channel=DIALECT.channel,
        ip=ip,
        request_id=name,
    )
    return actor.claiming(certificate=certificate.public_id)
