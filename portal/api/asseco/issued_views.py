"""Asseco's endpoints about cards and tokens, and the lists of words."""

from django.db import models
from django.http import HttpResponse

from devices.operations.issued_life import name_issued_device
from devices.queries import issued as queries
from portal.api.asseco import issued_serializers as wire
from portal.api.asseco.classifications import CLASSIFICATIONS, classification
from portal.api.asseco.serializers import Nickname
from portal.api.asseco.views import AssecoView
from portal.api.asseco.wire import PROBLEM
from portal.api.base import Call, serves
from portal.core.actor import Actor


class IssuedView(AssecoView):
    def about(self, actor: Actor) -> models.Model | None:
        device_id = self.kwargs.get("device_id")
        return queries.get_issued_device(actor, device_id) if device_id else None


class IssuedDevicesView(IssuedView):
    @serves(Call(summary="List issued devices", query=wire.IssuedDevicesQuery, answer=wire.IssuedDevices))
    def get(self) -> HttpResponse:
        page = queries.issued_devices_page(
            self.actor,
            customer_id=self.query.get("customer_number"),
            card_statuses=self.query.get("card_statuses"),
            sort_by=wire.SORT_WORDS[self.query["sort_by"]],
            descending=self.query["sort_order"] == "desc",
            page=self.query["page"],
            page_size=self.query["page_size"],
        )
        return self.answer(wire.IssuedDevices(page))


class IssuedDeviceView(IssuedView):
    @serves(Call(summary="Retrieve an issued device", answer=wire.IssuedDevice, refusals=(404,)))
    def get(self, device_id: str) -> HttpResponse:
        return self.answer(wire.IssuedDevice(queries.get_issued_device(self.actor, device_id)))


class IssuedNicknameView(IssuedView):
    @serves(
        Call(
            summary="Set an issued device's nickname",
            status=204,
            representation=wire.IssuedDevice,
            body=Nickname,
            refusals=(404, PROBLEM),
        )
    )
    def put(self, device_id: str) -> HttpResponse:
        device = name_issued_device(actor=self.actor, device_id=device_id, nickname=self.values["nickname"])
        return self.no_content(lambda: wire.IssuedDevice(queries.get_issued_device(self.actor, str(device.pk))))


class ClassificationsView(AssecoView):
    @serves(Call(summary="List the classifications", answer=wire.Classifications))
    def get(self) -> HttpResponse:
        return self.answer(wire.Classifications({"items": list(CLASSIFICATIONS.values())}))


class ClassificationView(AssecoView):
    @serves(Call(summary="Retrieve a classification", answer=wire.Classification, refusals=(404,)))
    def get(self, schema_id: str) -> HttpResponse:
        return self.answer(wire.Classification(classification(schema_id)))
