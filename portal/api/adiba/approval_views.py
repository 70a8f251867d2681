"""Adiba's endpoint for callers whose call waits for a second person. Ours: the vendor has none."""

from django.http import HttpResponse

from portal.api.adiba.approval_serializers import Approval
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.approvals import queries


class ApprovalView(DialectView):
    dialect = DIALECT
    required_scopes = frozenset({"devices:admin", "pki:sign", "staff"})

    @serves(
        Call(summary="Ask what became of a call that waited for a second person", answer=Approval, refusals=(404,))
    )
    def get(self, approval_id: str) -> HttpResponse:
        return self.answer(Approval(queries.get_request(self.actor, approval_id)))
