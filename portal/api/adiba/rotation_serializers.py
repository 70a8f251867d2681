"""What Adiba's clients send and get about rotations."""

import base64
import binascii
from datetime import timedelta
from typing import Any, Final

from rest_framework import serializers

from pki.models import Certificate, Rotation, RotationType
from pki.states import RotationState
from portal.api.adiba.cert_serializers import base64_pem
from portal.api.adiba.serializers import ID_LENGTH
from portal.api.serializing import Input, Moment, Output, Switch, Text, Word
from portal.core import clock, ids

CERTIFICATE_LENGTH: Final = 64
SIGNATURE_LENGTH: Final = 1024  # base64 of an RSA signature of 4096 bits, with room
INITIATED: Final = "Certificate rotation initiated successfully"
PROVED: Final = "Certificate proved successfully"
USUAL: Final = timedelta(minutes=15)  # a worker is rung at once; this is what the sample promises
STATUSES: Final = {
    RotationState.PLANNED: "IN_PROGRESS",
    RotationState.SIGNING: "IN_PROGRESS",
    RotationState.AWAITING_DEVICE: "AWAITING_DEVICE",
    RotationState.OVERLAP: "ISSUED",
    RotationState.DONE: "COMPLETED",
    RotationState.FAILED: "FAILED",
    RotationState.CANCELLED: "CANCELLED",
}
WORDS: Final = tuple(dict.fromkeys(STATUSES.values()))


class Base64(Text):
    """Octets, as base64."""

    default_error_messages = {"not_base64": "This is no base64."}

    def to_internal_value(self, data: object) -> Any:
        text = super().to_internal_value(data)
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            self.fail("not_base64")


class RotationRequest(Input):
    device_id = Text(trim_whitespace=False, max_length=ID_LENGTH)
    rotation_type = Word(choices=RotationType.values, required=False)
    force_rotation = Switch(required=False)


class Proof(Input):
    certificate_id = Text(max_length=CERTIFICATE_LENGTH)
    signature = Base64(max_length=SIGNATURE_LENGTH)


class _Rotating(Output):
    rotation_id = serializers.CharField(source="public_id")
    status = serializers.SerializerMethodField()
    old_certificate_id = serializers.CharField(source="old.public_id")
    new_certificate_id = serializers.SerializerMethodField()

    def get_status(self, rotation: Rotation) -> str:
        return STATUSES[RotationState(rotation.state)]

    def get_new_certificate_id(self, rotation: Rotation) -> str:
        """Before it is signed, the id that it is going to have."""
        return ids.spell("CERT", rotation.new_id or rotation.new_id_planned)


class Initiated(_Rotating):
    estimated_completion = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()

    def get_estimated_completion(self, rotation: Rotation) -> str:
        """A device that is waited for has until the old certificate's end."""
        if rotation.state == RotationState.AWAITING_DEVICE:
            return clock.rfc3339(rotation.due_at)
        return clock.rfc3339(rotation.renewed_at or max(rotation.next_try_at, rotation.planned_at + USUAL))

    def get_message(self, rotation: Rotation) -> str:
        return INITIATED


class Followed(_Rotating):
    """A rotation as it stands, with the new certificate once there is one."""

    device_id = serializers.CharField(source="device.public_id")
    rotation_type = serializers.ChoiceField(source="type", choices=RotationType.values)
    requested_at = Moment(source="planned_at")
    attempts = serializers.IntegerField()
    last_problem = serializers.SerializerMethodField()
    next_attempt_at = serializers.SerializerMethodField()
    certificate_content = serializers.SerializerMethodField(help_text="Base64 of PEM")
    serial_number = serializers.SerializerMethodField()
    valid_from = Moment(source="new.not_before", allow_null=True, default=None)
    valid_to = Moment(source="new.not_after", allow_null=True, default=None)
    old_valid_until = serializers.SerializerMethodField()
    completed_at = Moment(source="closed_at", allow_null=True)

    def get_last_problem(self, rotation: Rotation) -> str | None:
        return rotation.last_reason or None

    def get_next_attempt_at(self, rotation: Rotation) -> str | None:
        waits = rotation.state in (RotationState.PLANNED, RotationState.SIGNING)
        return clock.rfc3339(rotation.next_try_at) if waits else None

    def get_certificate_content(self, rotation: Rotation) -> str | None:
        if rotation.new is None:
            return None
        return base64_pem(bytes(rotation.new.der or b""))

    def get_serial_number(self, rotation: Rotation) -> str | None:
        return rotation.new.serial_colons if rotation.new else None

    def get_old_valid_until(self, rotation: Rotation) -> str | None:
        """While both are valid: until when the old one is, unless the new one is proved before."""
        until = rotation.old.overlap_until if rotation.state == RotationState.OVERLAP else None
        return clock.rfc3339(until) if until else None


class Proved(Output):
    status = serializers.SerializerMethodField()
    certificate_id = serializers.CharField(source="public_id")
    proved_at = Moment()
    message = serializers.SerializerMethodField()

    def get_status(self, certificate: Certificate) -> str:
        return "SUCCESS"

    def get_message(self, certificate: Certificate) -> str:
        return PROVED
