"""Adiba's endpoints about PINs. They are for the device's owner: a bank's or staff's token does not reach them."""

from django.db import models
from django.http import HttpResponse

from devices import queries
from devices.operations.pin_confirmation import confirm_reset
from devices.operations.pin_resets import request_reset
from devices.operations.pins import change_pin, create_pin
from devices.queries.pins import device_of_reset
from portal.api.adiba import pin_serializers as wire
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.core.actor import Actor


class _PinView(DialectView):
    """Refusals name the device that the call is about."""

    dialect = DIALECT
    required_scopes = frozenset({"pin"})
    secret_body = True

    def about(self, actor: Actor) -> models.Model | None:
        if "device_id" in self.values:
            return queries.get_owned_device(actor, self.values["device_id"])
        reset_id = self.values.get("reset_id")
        return device_of_reset(actor, reset_id) if reset_id else None


class PinView(_PinView):
    @serves(Call(summary="Create a device's PIN", body=wire.NewPin, answer=wire.Created, refusals=(404, 409, 422)))
    def post(self) -> HttpResponse:
        values = self.values
        done = create_pin(
            actor=self.actor,
            device_id=values["device_id"],
            pin=values["pin"],
            confirm_pin=values["confirm_pin"],
            user_id=values.get("user_id"),
        )
        return self.answer(wire.Created(done))


class PinChangeView(_PinView):
    @serves(
        Call(
            summary="Change a device's PIN",
            body=wire.PinChange,
            answer=wire.Changed,
            refusals=(404, 409, 422, 423),
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        done = change_pin(
            actor=self.actor,
            device_id=values["device_id"],
            current_pin=values["current_pin"],
            new_pin=values["new_pin"],
            confirm_new_pin=values["confirm_new_pin"],
            user_id=values.get("user_id"),
        )
        return self.answer(wire.Changed(done))


class PinResetView(_PinView):
    @serves(
        Call(
            summary="Ask for a PIN reset",
            status=202,
            body=wire.ResetRequest,
            answer=wire.Initiated,
            refusals=(404, 409),
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        known = values["verification_data"]
        reset = request_reset(
            actor=self.actor,
            device_id=values["device_id"],
            method=values["reset_method"],
            known_phone=known.get("phone_number", ""),
            known_email=known.get("email", ""),
            user_id=values.get("user_id"),
        )
        return self.answer(wire.Initiated(reset), status=202)


class PinConfirmView(_PinView):
    @serves(
        Call(
            summary="Confirm a PIN reset and set a new PIN",
            body=wire.Confirmation,
            answer=wire.Confirmed,
            refusals=(404, 409, 422),
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        done = confirm_reset(
            actor=self.actor,
            reset_id=values["reset_id"],
            verification_code=values["verification_code"],
            new_pin=values["new_pin"],
            confirm_new_pin=values["confirm_new_pin"],
        )
        return self.answer(wire.Confirmed(done))
