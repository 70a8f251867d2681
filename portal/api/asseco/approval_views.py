"""Asseco's endpoint for callers whose call waits for a second person. Ours: the vendor has none."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers

from portal.api.asseco.wire import DIALECT, PENDING_APPROVAL
from portal.api.base import Call, DialectView, serves
from portal.api.serializing import Moment, Output, TextOrNull
from portal.approvals import queries
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState

WORDS = {state: PENDING_APPROVAL if state == RequestState.PENDING else state.value.lower() for state in RequestState}


class ApprovalRequestBody(Output):
    approval_id = serializers.CharField(source="public_id")
    operation = serializers.SerializerMethodField(help_text="For example `device-activate`")
    status = serializers.SerializerMethodField(help_text=", ".join(WORDS.values()))
    device_id = serializers.SerializerMethodField()
    reason = TextOrNull()
    requested_at = Moment(source="created_at")
    expires_at = Moment()
    closed_at = Moment(source="ended_at", allow_null=True)
    decision_reason = TextOrNull()
    details = TextOrNull(source="error_code", help_text="Which rule stood in the way when it was carried out: failed")
    message = TextOrNull(source="error_message")

    def get_operation(self, request: ApprovalRequest) -> str:
        return request.operation.replace(".", "-")

    def get_status(self, request: ApprovalRequest) -> str:
        return WORDS[request.standing]

    def get_device_id(self, request: ApprovalRequest) -> str | None:
        return str(UUID(request.object_id)) if request.object_type == "device" else None


class ApprovalRequestView(DialectView):
    dialect = DIALECT
    required_scopes = frozenset({"devices:admin", "staff"})

    @serves(
        Call(
            summary="Ask what became of a call that waited for a second person",
            answer=ApprovalRequestBody,
            refusals=(404,),
        )
    )
    def get(self, approval_id: str) -> HttpResponse:
        return self.answer(ApprovalRequestBody(queries.get_request(self.actor, approval_id)))
