"""Adiba's endpoints about rotations. Polling and proving are ours: the vendor has neither."""

from django.db import models
from django.http import HttpResponse
from django.urls import reverse

from devices import queries
from pki.operations.rotation_proof import prove_certificate
from pki.operations.rotations import rotate_certificate
from pki.queries.rotations import device_of_certificate, get_rotation
from portal.api.adiba import rotation_serializers as wire
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.core.actor import Actor

ROTATORS = frozenset({"certificates", "pki:sign", "staff"})


class RotateView(DialectView):
    dialect = DIALECT
    required_scopes = ROTATORS

    @serves(
        Call(
            summary="Renew a device's certificate",
            status=202,
            body=wire.RotationRequest,
            answer=wire.Initiated,
            refusals=(404, 409),
            headers={"Location": "Where the rotation can be followed"},
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        wanted = {"rotation_type": values["rotation_type"]} if "rotation_type" in values else {}
        force = values.get("force_rotation", False)
        rotation = rotate_certificate(actor=self.actor, device_id=values["device_id"], force=force, **wanted)
        location = reverse("adiba:cert-rotation", args=[rotation.public_id])
        return self.answer(wire.Initiated(rotation), status=202, headers={"Location": location})

    def about(self, actor: Actor) -> models.Model | None:
        device_id = self.values.get("device_id")
        return queries.get_owned_device(actor, device_id) if device_id else None


class RotationView(DialectView):
    dialect = DIALECT
    required_scopes = ROTATORS

    @serves(Call(summary="Follow a rotation", answer=wire.Followed, refusals=(404,)))
    def get(self, rotation_id: str) -> HttpResponse:
        return self.answer(wire.Followed(get_rotation(self.actor, rotation_id)))


class ProveView(DialectView):
    dialect = DIALECT
    required_scopes = frozenset({"certificates"})

    @serves(
        Call(
            summary="Show that a device has its new certificate",
            body=wire.Proof,
            answer=wire.Proved,
            refusals=(404, 409),
        )
    )
    def post(self) -> HttpResponse:
        values = self.values
        certificate = prove_certificate(
            actor=self.actor, certificate_id=values["certificate_id"], signature=values["signature"]
        )
        return self.answer(wire.Proved(certificate))

    def about(self, actor: Actor) -> models.Model | None:
        certificate_id = self.values.get("certificate_id")
        return device_of_certificate(actor, certificate_id) if certificate_id else None
