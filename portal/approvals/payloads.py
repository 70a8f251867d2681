"""What a request asks for, in one exact form: canonical JSON (RFC 8785), sealed and bound to its row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portal import vault
from portal.approvals.models import ApprovalRequest
from portal.core.json import canonical
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
    """The stored payload is not the one that was asked for."""


def digest_of(bank_id: UUID, operation: str, arguments: Mapping[str, Any]) -> str:
    """A keyed name for "the same request": bank, operation and arguments."""
    return vault.blind_index(PURPOSE, bank_id, canonical({"operation": operation, "arguments": arguments}).decode())


def seal(request: ApprovalRequest, arguments: Mapping[str, Any]) -> str:
    """The sealed payload of a request whose other columns are set. Raises ValueError for what JSON cannot hold."""
    return vault.seal(PURPOSE, request.pk, canonical({**_head(request), "arguments": dict(arguments)}).decode())


def open_payload(request: ApprovalRequest) -> Payload:
    """The payload, when it is still the one that was asked for: unbroken seal, and nothing around it was exchanged.

    Raises PayloadBroken.
    """
    try:
        found: dict[str, Any] = json.loads(vault.unseal(PURPOSE, request.pk, request.payload_sealed))
    except (SealBroken, ValueError):
        raise PayloadBroken from None
    arguments = found.pop("arguments", None)
    if found != _head(request) or not isinstance(arguments, dict):
        raise PayloadBroken
    if digest_of(request.bank_id, request.operation, arguments) != request.payload_digest:
        raise PayloadBroken
    return Payload(request.operation, arguments)


def _head(request: ApprovalRequest) -> dict[str, str]:
    return {
        "bank": str(request.bank_id),
        "operation": request.operation,
        "maker": f"{request.maker_kind}:{request.maker_id}",
    }
