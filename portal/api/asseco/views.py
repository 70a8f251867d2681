"""Asseco's endpoints."""

from collections.abc import Callable
from urllib.parse import quote

from django.db import models
from django.http import HttpResponse

from devices import queries
from devices.models import Device
from devices.operations import activation, registration
from portal.api.asseco import serializers as wire
from portal.api.asseco.wire import DIALECT, PROBLEM
from portal.api.base import Call, DialectView, serves
from portal.api.dialect import respond
from portal.api.serializing import Input
from portal.api.unknown import UnknownView
from portal.core.actor import Actor

SCOPES = frozenset({"devices", "devices:admin", "staff"})
type Switch = Callable[..., activation.Change]


def _change(summary: str, body: type[Input] | None = None, *, may_wait: bool = False) -> Call:
    """A change of one device. Without fields of its own it takes a reason, and may come without a body."""
    return Call(
        summary=summary,
        status=204,
        representation=wire.OwnedDevice,
        body=body or wire.Reason,
        body_required=body is not None,
        refusals=(404, PROBLEM),
        may_wait=may_wait,
    )


class AssecoView(DialectView):
    dialect = DIALECT
    required_scopes = SCOPES

    def about(self, actor: Actor) -> models.Model | None:
        device_id = self.kwargs.get("device_id")
        return queries.get_device(actor, device_id) if device_id else None

    def changed(self, device: Device) -> HttpResponse:
        """The answer to a change: 204, or the device for a caller that prefers it."""
        return self.no_content(lambda: wire.OwnedDevice(queries.get_owned_device(self.actor, str(device.pk))))


class OwnedDevicesView(AssecoView):
    @serves(Call(summary="List owned devices", query=wire.OwnedDevicesQuery, answer=wire.OwnedDevices))
    def get(self) -> HttpResponse:
        page = queries.owned_devices_page(
            self.actor,
            customer_id=self.query.get("customer_number"),
            statuses=self.query.get("device_statuses"),
            sort_by=wire.SORT_WORDS[self.query["sort_by"]],
            descending=self.query["sort_order"] == "desc",
            page=self.query["page"],
            page_size=self.query["page_size"],
        )
        return self.answer(wire.OwnedDevices(page))

    @serves(
        Call(
            summary="Register an owned device",
            body=wire.DescribedDevice,
            answer=wire.Registration,
            refusals=(PROBLEM,),
            headers={"Location": "Where the device can be retrieved"},
        )
    )
    def post(self) -> HttpResponse:
        registered = registration.register_device(
            actor=self.actor, facts=wire.facts_of(self.values), customer_id=self.values.get("customer_id")
        )
        external_id = registered.device.external_id
        location = f"/v1/device/owned-devices/{quote(external_id, safe='')}"
        return self.answer(wire.Registration(registered.device), headers={"Location": location})


class DeviceView(AssecoView):
    @serves(Call(summary="Retrieve a registered device", answer=wire.DeviceDetails, refusals=(404,)))
    def get(self, device_id: str) -> HttpResponse:
        return self.answer(wire.DeviceDetails(queries.get_owned_device(self.actor, device_id)))


class OwnedDeviceView(AssecoView):
    @serves(Call(summary="Retrieve an owned device", answer=wire.OwnedDevice, refusals=(404,)))
    def get(self, device_id: str) -> HttpResponse:
        return self.answer(wire.OwnedDevice(queries.get_owned_device(self.actor, device_id)))


class NicknameView(AssecoView):
    @serves(_change("Set a device's nickname", wire.Nickname))
    def put(self, device_id: str) -> HttpResponse:
        return self.changed(
            registration.set_nickname(actor=self.actor, device_id=device_id, nickname=self.values["nickname"])
        )


class PushHandleView(AssecoView):
    @serves(_change("Set where a device's push messages go", wire.PushHandle))
    def put(self, device_id: str) -> HttpResponse:
        device = registration.set_push_handle(
            actor=self.actor,
            device_id=device_id,
            platform=self.values["push_platform"],
            handle=self.values["pns_handle"],
        )
        return self.changed(device)


class SwitchView(AssecoView):
    """A POST that moves one owned device; its body, with a reason, may be left out."""

    def switch(self, operation: Switch, device_id: str) -> Device:
        reason = self.values.get("reason", "")
        return operation(actor=self.actor, device_id=device_id, reason=reason, owned_only=True).device


class BlockView(SwitchView):
    @serves(_change("Block a device"))
    def post(self, device_id: str) -> HttpResponse:
        return self.changed(self.switch(activation.block_device, device_id))


class UnblockView(SwitchView):
    @serves(_change("Unblock a device", may_wait=True))
    def post(self, device_id: str) -> HttpResponse:
        return self.changed(self.switch(activation.unblock_device, device_id))


class UnregisterOwnedView(SwitchView):
    @serves(_change("Unregister an owned device", may_wait=True))
    def post(self, device_id: str) -> HttpResponse:
        return self.changed(self.switch(activation.unregister_device, device_id))


class UnregisterView(SwitchView):
    @serves(
        Call(
            summary="Unregister a registered device",
            status=202,
            body=wire.Reason,
            body_required=False,
            refusals=(404, PROBLEM),
            may_wait=True,
        )
    )
    def post(self, device_id: str) -> HttpResponse:
        self.switch(activation.unregister_device, device_id)
        return respond(202, None)


class UnknownAssecoView(UnknownView):
    dialect = DIALECT
