"""Adiba's endpoints."""

from django.db import models
from django.http import HttpResponse

from devices import queries
from devices.operations.activation import activate_device, deactivate_device
from portal.api.adiba import serializers as wire
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.api.unknown import UnknownView
from portal.core.actor import Actor
from portal.core.errors import Forbidden


class StatusView(DialectView):
    dialect = DIALECT
    required_scopes = frozenset({"devices", "devices:admin", "staff"})

    @serves(Call(summary="Check a device's status", query=wire.StatusQuery, answer=wire.Status, refusals=(404,)))
    def get(self) -> HttpResponse:
        device = queries.device_for_status(self.actor, self.query.get("device_id"))
        return self.answer(wire.Status(wire.Shown(device, queries.posture_of(device))))

    @serves(
        Call(
            summary="Activate or deactivate a device",
            body=wire.StatusChange,
            answer=wire.Changed,
            refusals=(404, 409),
            may_wait=True,
        )
    )
    def post(self) -> HttpResponse:
        operation = activate_device if self.values["action"] == wire.ACTIVATE else deactivate_device
        change = operation(actor=self._claiming(), device_id=self.values["device_id"], reason=self.values["reason"])
        return self.answer(wire.Changed(change))

    def _claiming(self) -> Actor:
        """The caller, with its `adminId` noted.

        A person can only name itself. A bank's server names its own clerk, whom we do not know: kept in the log.
        """
        actor, claim = self.actor, self.values.get("admin_id")
        if claim is None:
            return actor
        person = self.token.user
        if person is not None and claim not in {person.public_id, person.username}:
            raise Forbidden("The adminId is not the token's.", code="identity-mismatch")
        self.actor = actor.claiming(admin_id=claim)
        return self.actor

    def about(self, actor: Actor) -> models.Model | None:
        values = self.values if self.http.method == "POST" else self.query
        return queries.get_device(actor, values["device_id"]) if "device_id" in values else None


class UnknownAdibaView(UnknownView):
    dialect = DIALECT
