"""Adiba's endpoints about ownership."""

from django.db import models
from django.http import HttpResponse
from django.urls import reverse

from devices import queries
from devices.operations.transfer_acceptance import accept_transfer
from devices.operations.transfers import cancel_transfer, decline_transfer, request_transfer
from devices.queries.transfers import get_transfer
from portal.api.adiba import ownership_serializers as wire
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.core.actor import Actor

OWNERS = frozenset({"transfers", "staff"})


class _OwnershipView(DialectView):
    """Refusals name the device that the call is about."""

    dialect = DIALECT

    def about(self, actor: Actor) -> models.Model | None:
        if "device_id" in self.values:
            return queries.get_owned_device(actor, self.values["device_id"])
        transfer_id = self.values.get("transfer_id")
        return get_transfer(actor, transfer_id).device if transfer_id else None


class OwnershipTransferView(_OwnershipView):
    required_scopes = OWNERS

    @serves(
        Call(
            summary="Ask for a device to change hands",
            status=202,
            body=wire.TransferRequest,
            answer=wire.Submitted,
            refusals=(404, 409, 422),
            headers={"Location": "Where the transfer can be followed"},
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        transfer = request_transfer(
            actor=self.actor,
            device_id=values["device_id"],
            new_owner_id=values["new_owner_id"],
            reason=values["transfer_reason"],
            current_owner_id=values.get("current_owner_id", ""),
            effective_date=values.get("effective_date"),
        )
        location = reverse("adiba:ownership-poll", args=[transfer.public_id])
        return self.answer(wire.Submitted(transfer), status=202, headers={"Location": location})


class OwnershipAcceptView(_OwnershipView):
    required_scopes = frozenset({"transfers"})
    secret_body = True

    @serves(
        Call(
            summary="Accept a device with the code",
            body=wire.Acceptance,
            answer=wire.Accepted,
            refusals=(404, 409, 410),
        )
    )
    def post(self) -> HttpResponse:
        transfer = accept_transfer(
            actor=self.actor,
            transfer_id=self.values["transfer_id"],
            acceptance_code=self.values["acceptance_code"],
            acceptor_id=self.values.get("acceptor_id", ""),
        )
        return self.answer(wire.Accepted(transfer))


class OwnershipDeclineView(_OwnershipView):
    required_scopes = frozenset({"transfers"})

    @serves(
        Call(
            summary="Turn an offered device down",
            body=wire.Decline,
            answer=wire.Ended,
            refusals=(404, 409, 410),
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        transfer = decline_transfer(
            actor=self.actor, transfer_id=values["transfer_id"], acceptor_id=values.get("acceptor_id", "")
        )
        return self.answer(wire.Ended(transfer))


class OwnershipCancelView(_OwnershipView):
    required_scopes = OWNERS

    @serves(
        Call(
            summary="Call a transfer off",
            body=wire.Cancellation,
            answer=wire.Ended,
            refusals=(404, 409, 410),
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        transfer = cancel_transfer(
            actor=self.actor, transfer_id=values["transfer_id"], reason=values.get("reason", "")
        )
        return self.answer(wire.Ended(transfer))


class OwnershipPollView(_OwnershipView):
    required_scopes = OWNERS

    @serves(Call(summary="Follow a transfer", answer=wire.Shown, refusals=(404,)))
    def get(self, transfer_id: str) -> HttpResponse:
        return self.answer(wire.Shown(get_transfer(self.actor, transfer_id)))
