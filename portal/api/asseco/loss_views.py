"""Reporting a device lost; ours, in Asseco's manner. A lost card is told as `reported-as-lost` from then on."""

from django.http import HttpResponse

from devices.operations.loss import report_lost
from devices.queries.issued import get_issued_device
from devices.states import Category
from portal.api.asseco import issued_serializers, serializers
from portal.api.asseco.issued_views import IssuedView
from portal.api.asseco.views import AssecoView
from portal.api.asseco.wire import PROBLEM
from portal.api.base import Call, serves


class OwnedLossView(AssecoView):
    @serves(
        Call(
            summary="Report an owned device lost",
            status=204,
            representation=serializers.OwnedDevice,
            body=serializers.Reason,
            body_required=False,
            refusals=(404, PROBLEM),
        )
    )
    def post(self, device_id: str) -> HttpResponse:
        reason = self.values.get("reason", "")
        loss = report_lost(actor=self.actor, device_id=device_id, reason=reason, category=Category.OWNED)
        return self.changed(loss.device)


class IssuedLossView(IssuedView):
    @serves(
        Call(
            summary="Report an issued device lost",
            status=204,
            representation=issued_serializers.IssuedDevice,
            body=serializers.Reason,
            body_required=False,
            refusals=(404, PROBLEM),
        )
    )
    def post(self, device_id: str) -> HttpResponse:
        reason = self.values.get("reason", "")
        loss = report_lost(actor=self.actor, device_id=device_id, reason=reason, category=Category.ISSUED)
        found = str(loss.device.pk)
        return self.no_content(lambda: issued_serializers.IssuedDevice(get_issued_device(self.actor, found)))
