"""Peere's endpoints."""

from django.db import models
from django.http import HttpResponse

from devices import queries
from merchants.operations.links import link_device, unlink_device
from merchants.operations.lookups import look_up
from merchants.queries.links import list_links
from portal.api.base import Call, DialectView, serves
from portal.api.peere import serializers as wire
from portal.api.peere.wire import DIALECT, Done, envelope
from portal.api.unknown import UnknownView
from portal.core.actor import Actor


class BankView(DialectView):
    """For a bank's own server."""

    dialect = DIALECT
    required_scopes = frozenset({"phrases:manage"})

    def about(self, actor: Actor) -> models.Model | None:
        device_id = self.values.get("device_id")
        return queries.get_device(actor, device_id) if device_id else None


class LinkView(BankView):
    @serves(Call(summary="Link a device to a phrase", body=wire.LinkFields, answer=Done, refusals=(404, 409)))
    def post(self) -> HttpResponse:
        link_device(actor=self.actor, **self.values)
        return self.answer(Done(envelope("Device linked successfully")))


class UnlinkView(BankView):
    @serves(Call(summary="Unlink a device", body=wire.LinkFields, answer=Done, refusals=(404,)))
    def post(self) -> HttpResponse:
        unlink_device(actor=self.actor, **self.values)
        return self.answer(Done(envelope("Device unlinked successfully")))


class DevicesView(BankView):
    @serves(Call(summary="List linked devices", query=wire.DevicesQuery, answer=wire.DeviceListBody))
    def get(self) -> HttpResponse:
        page = list_links(
            self.actor,
            page=self.query["page"],
            limit=self.query["limit"],
            search=self.query.get("search", ""),
            sort=wire.ORDERS[self.query["sort_by"]],
            descending=self.query["sort_order"] == "desc",
        )
        return self.answer(wire.DeviceListBody(envelope(data=page)))


class LookupView(DialectView):
    """For a merchant's server. No answer is kept for its Idempotency-Key: it would outlive the device's link, and a
    repeat would not be counted."""

    dialect = DIALECT
    required_scopes = frozenset({"phrases:lookup"})
    keeps_answers = False

    @serves(Call(summary="Look a customer up by device", body=wire.Lookup, answer=wire.LookupBody, refusals=(404,)))
    def post(self) -> HttpResponse:
        found = look_up(actor=self.actor, device_id=self.values["device_id"])
        return self.answer(wire.LookupBody(envelope("Device lookup successful", found)))


class UnknownPeereView(UnknownView):
    dialect = DIALECT
