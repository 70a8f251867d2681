"""What Adiba's clients are told of calls that wait for a second person."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.adiba.wire import PENDING_APPROVAL, upper_snake
from portal.api.serializing import Moment, Output, TextOrNull
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.core import ids

WORDS = {state: PENDING_APPROVAL if state == RequestState.PENDING else state.value for state in RequestState}


class WhyNot(Output):
    code = serializers.CharField(source="error_code", help_text="The rule, in kebab case")
    message = serializers.CharField(source="error_message")


class Approval(Output):
    approval_id = serializers.CharField(source="public_id")
    operation = serializers.SerializerMethodField(help_text="For example `DEVICE_ACTIVATE`")
    status = serializers.SerializerMethodField(help_text=", ".join(WORDS.values()))
    device_id = serializers.SerializerMethodField()
    reason = TextOrNull()
    requested_at = Moment(source="created_at")
    expires_at = Moment()
    closed_at = Moment(source="ended_at", allow_null=True)
    decision_reason = TextOrNull()
    result = serializers.SerializerMethodField(help_text="What was done, once the status is DONE")
    error = serializers.SerializerMethodField(help_text="Why it was approved and not carried out: FAILED")

    def get_operation(self, request: ApprovalRequest) -> str:
        return upper_snake(request.operation.replace(".", "-"))

    def get_status(self, request: ApprovalRequest) -> str:
        return WORDS[request.standing]

    def get_device_id(self, request: ApprovalRequest) -> str | None:
        return ids.spell("DEV", UUID(request.object_id)) if request.object_type == "device" else None

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
    def get_result(self, request: ApprovalRequest) -> Mapping[str, Any] | None:
        return request.result or None

    @extend_schema_field(WhyNot(allow_null=True))
    def get_error(self, request: ApprovalRequest) -> Mapping[str, Any] | None:
        return WhyNot(request).data if request.error_code else None
