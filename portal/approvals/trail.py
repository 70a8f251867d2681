"""What the audit log says of requests: events about the object, so that its timeline tells the whole story."""

from portal.approvals.models import ApprovalRequest
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor


def write(actor: Actor, event: Event, request: ApprovalRequest, *, reason: str = "", error: str = "") -> None:
    """One event, in the caller's transaction. The payload stays sealed: its digest says which one it was."""
    details = {
        "request": request.public_id,
        "operation": request.operation,
        "payload": request.payload_digest[:16],
        "asked_by": request.maker_label,
        **({"error": error} if error else {}),
    }
    audit.record(actor, event, request.subject, reason=reason, details=details)
