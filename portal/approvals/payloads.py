"""What a request asks for, in one exact form: canonical JSON (RFC 8785), sealed and bound to its row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portal import vault
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.core.json import canonical
from portal.crypto.codes import same
from portal.crypto.sealing import SealBroken

PURPOSE = "approval.payload"


@dataclass(frozen=True)
class Payload:
    """What was asked for: an operation's arguments, without the actor."""

    operation: str
    arguments: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The arguments as they are shown to the second person, letter for letter."""
        return canonical(dict(self.arguments)).decode()


class PayloadBroken(Exception):
    """The stored request is not the one that was asked for."""


def digest_of(bank_id: UUID, operation: str, arguments: Mapping[str, Any]) -> str:
    """A keyed name for "the same request": bank, operation and arguments."""
    return vault.digest(PURPOSE, bank_id, canonical({"operation": operation, "arguments": arguments}).decode())


def seal(request: ApprovalRequest, arguments: Mapping[str, Any], state: str = RequestState.PENDING) -> str:
    """The sealed payload of a request whose other columns are set. Raises TypeError for what JSON cannot hold."""
    sealed = {"request": _head(request), "state": state, "arguments": dict(arguments)}
    return vault.seal(PURPOSE, request.pk, canonical(sealed).decode())


def sealed_as(request: ApprovalRequest, state: str) -> str:
    """The payload sealed anew for a request that ends in `state`. A broken one stays as it is, as evidence."""
    try:
        return seal(request, open_payload(request).arguments, state)
    except PayloadBroken:
        return request.payload_sealed


def open_payload(request: ApprovalRequest) -> Payload:
    """The payload, when the row is still what was asked for: an unbroken seal, and nothing around it was exchanged.

    A request that was decided does not open as a waiting one again. Raises PayloadBroken.
    """
    try:
        found: dict[str, Any] = json.loads(vault.unseal(PURPOSE, request.pk, request.payload_sealed))
        arguments, head, state = found["arguments"], found["request"], found["state"]
    except (SealBroken, ValueError, KeyError, TypeError):
        raise PayloadBroken from None
    # The sweep closes without opening, so a closed row may hold the seal of a waiting one; never the other way round.
    if head != _head(request) or state not in (request.state, RequestState.PENDING):
        raise PayloadBroken
    if not same(digest_of(request.bank_id, request.operation, arguments), request.payload_digest):
        raise PayloadBroken
    return Payload(request.operation, arguments)


def _head(request: ApprovalRequest) -> dict[str, str]:
    """Everything that is set when a request is made, and never again."""
    return {
        "bank": str(request.bank_id),
        "operation": request.operation,
        "object": f"{request.object_type}:{request.object_id}",
        "object_label": request.object_label,
        "exclusive": str(request.exclusive),
        "maker": f"{request.maker_kind}:{request.maker_id}",
        "maker_user": str(request.maker_user_id or ""),
        "maker_label": request.maker_label,
        "channel": request.channel,
        "reason": request.reason,
        "created_at": _spelled(request.created_at),
        "expires_at": _spelled(request.expires_at),
    }


def _spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
