"""What Adiba's clients send and get about ownership."""

from datetime import datetime
from typing import Final

from rest_framework import serializers

from devices.models import Transfer
from devices.operations.facts import MAX_LENGTHS
from devices.states import TransferState
from portal.api.adiba.serializers import ID_LENGTH
from portal.api.serializing import Input, Moment, Output, Text
from portal.core import clock

PERSON_LENGTH: Final = 64  # the longest customer number
TRANSFER_LENGTH: Final = 64
CODE_LENGTH: Final = 64  # far above a code's: a wrong one is counted, not sorted out by its form
SUBMITTED: Final = "Ownership transfer request submitted successfully"
COMPLETED: Final = "Device ownership transfer completed successfully"
ACCEPTED: Final = "Device ownership transfer accepted; it completes on the effective date"
CANCELLED: Final = "Ownership transfer cancelled successfully"
DECLINED: Final = "Ownership transfer declined successfully"


class When(serializers.DateTimeField):
    """A time on the way in: RFC 3339, with an offset."""

    default_error_messages = {"invalid": "This is no time: it looks like 2024-12-01T14:30:00Z."}

    def to_internal_value(self, value: object) -> datetime:
        try:
            return clock.parse_rfc3339(value if isinstance(value, str) else "")
        except (ValueError, OverflowError):  # the latter: in UTC it is before the year 1 or after 9999
            self.fail("invalid")


class TransferRequest(Input):
    device_id = Text(trim_whitespace=False, max_length=ID_LENGTH)
    current_owner_id = Text(required=False, max_length=PERSON_LENGTH)
    new_owner_id = Text(max_length=PERSON_LENGTH)
    transfer_reason = Text(max_length=MAX_LENGTHS["reason"])
    effective_date = When(required=False)


class Acceptance(Input):
    transfer_id = Text(max_length=TRANSFER_LENGTH)
    acceptor_id = Text(required=False, max_length=PERSON_LENGTH)
    acceptance_code = Text(max_length=CODE_LENGTH)


class Decline(Input):
    transfer_id = Text(max_length=TRANSFER_LENGTH)
    acceptor_id = Text(required=False, max_length=PERSON_LENGTH)


class Cancellation(Input):
    transfer_id = Text(max_length=TRANSFER_LENGTH)
    reason = Text(required=False, max_length=MAX_LENGTHS["reason"])


class Submitted(Output):
    transfer_id = serializers.CharField(source="public_id")
    status = serializers.ChoiceField(source="state", choices=TransferState.values)
    device_id = serializers.CharField(source="device.public_id")
    current_owner_id = serializers.CharField(source="old_owner.public_id")
    new_owner_id = serializers.CharField(source="new_owner.public_id")
    requested_at = Moment()
    message = serializers.SerializerMethodField()

    def get_message(self, transfer: Transfer) -> str:
        return SUBMITTED


class Accepted(Output):
    status = serializers.SerializerMethodField()
    transfer_id = serializers.CharField(source="public_id")
    device_id = serializers.CharField(source="device.public_id")
    new_owner_id = serializers.CharField(source="new_owner.public_id")
    completed_at = Moment(allow_null=True)
    message = serializers.SerializerMethodField()

    def get_status(self, transfer: Transfer) -> str:
        return "SUCCESS" if transfer.completed_at else "ACCEPTED"

    def get_message(self, transfer: Transfer) -> str:
        return COMPLETED if transfer.completed_at else ACCEPTED


class Ended(Output):
    """A transfer that was called off or turned down."""

    status = serializers.SerializerMethodField()
    transfer_id = serializers.CharField(source="public_id")
    device_id = serializers.CharField(source="device.public_id")
    new_state = serializers.ChoiceField(source="state", choices=TransferState.values)
    ended_at = Moment(source="closed_at")
    message = serializers.SerializerMethodField()

    def get_status(self, transfer: Transfer) -> str:
        return "SUCCESS"

    def get_message(self, transfer: Transfer) -> str:
        return CANCELLED if transfer.state == TransferState.CANCELLED else DECLINED


class Shown(Output):
    """A transfer as it stands. The owners are those of the request."""

    transfer_id = serializers.CharField(source="public_id")
    status = serializers.ChoiceField(source="state", choices=TransferState.values)
    device_id = serializers.CharField(source="device.public_id")
    current_owner_id = serializers.CharField(source="old_owner.public_id")
    new_owner_id = serializers.CharField(source="new_owner.public_id")
    requested_at = Moment()
    effective_date = Moment(source="effective_at", allow_null=True)
    expires_at = Moment(source="ends_at", allow_null=True)
    accepted_at = Moment(allow_null=True)
    completed_at = Moment(allow_null=True)
