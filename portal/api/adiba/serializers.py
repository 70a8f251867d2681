"""What Adiba's clients send and get."""

from dataclasses import dataclass

from rest_framework import serializers

from devices.models import Device
from devices.operations.activation import Change
from devices.operations.facts import MAX_LENGTHS
from devices.queries import Posture
from devices.states import CertificateStatus, DeviceStatus, Enrollment
from portal.api.adiba.wire import upper_snake
from portal.api.serializing import Input, Moment, Output, Text, TextOrNull, Word

ACTIVATE, DEACTIVATE = "ACTIVATE", "DEACTIVATE"
MESSAGES = {
    DeviceStatus.ACTIVE: "Device activated successfully",
    DeviceStatus.INACTIVE: "Device deactivated successfully",
}
ID_LENGTH = MAX_LENGTHS["external_id"]  # the longest of a device's ids


class StatusQuery(Input):
    device_id = Text(required=False, trim_whitespace=False, max_length=ID_LENGTH)


class StatusChange(Input):
    device_id = Text(trim_whitespace=False, max_length=ID_LENGTH)
    action = Word([ACTIVATE, DEACTIVATE])
    reason = Text(max_length=MAX_LENGTHS["reason"])
    admin_id = Text(required=False, max_length=64)


class DeviceInfo(Output):
    type = serializers.SerializerMethodField()
    manufacturer = TextOrNull()
    model = TextOrNull()
    os_version = TextOrNull(source="operating_system")
    app_version = TextOrNull()

    def get_type(self, device: Device) -> str:
        return upper_snake(device.kind)


class SecurityPosture(Output):
    pin_enabled = serializers.BooleanField()
    certificate_valid = serializers.BooleanField()
    last_security_check = Moment(source="checked_at")


@dataclass(frozen=True)
class Shown:
    """A device and its posture at this moment."""

    device: Device
    posture: Posture


class Status(Output):
    device_id = serializers.CharField(source="device.public_id")
    status = serializers.ChoiceField(source="device.status", choices=DeviceStatus.values)
    enrollment_status = serializers.ChoiceField(source="posture.enrollment_status", choices=Enrollment.values)
    certificate_status = serializers.ChoiceField(
        source="posture.certificate_status", choices=CertificateStatus.values
    )
    last_activity = Moment(source="device.last_activity_at", allow_null=True)
    device_info = DeviceInfo(source="device")
    security_posture = SecurityPosture(source="posture")


class Changed(Output):
    status = serializers.SerializerMethodField()
    device_id = serializers.CharField(source="device.public_id")
    new_state = serializers.ChoiceField(source="device.status", choices=DeviceStatus.values)
    updated_at = Moment(source="at")
    message = serializers.SerializerMethodField()
    sessions_terminated = serializers.IntegerField()

    def get_status(self, change: Change) -> str:
        return "SUCCESS"

    def get_message(self, change: Change) -> str:
        return MESSAGES[DeviceStatus(change.device.status)]
