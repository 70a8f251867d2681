"""What tests of the approvals pages say often."""

import html
from typing import Any

from devices.models import Device
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import YES, People


def page_of(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def url(request: ApprovalRequest, step: str = "") -> str:
    return f"/approvals/{request.public_id}" + (f"/{step}" if step else "")


def decision(request: ApprovalRequest, code: str, **values: str) -> dict[str, str]:
    """What the decision form sends."""
    return {"seen": request.payload_digest, "reason": YES, "code": code, "decision": "approve", **values}


def state_of(request: ApprovalRequest) -> str:
    return ApprovalRequest.objects.values_list("state", flat=True).get(pk=request.pk)


def is_active(people: People) -> bool:
    return Device.objects.get(pk=people.phone.pk).is_active
