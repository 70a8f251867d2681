"""What Adiba's clients send and get about PINs."""

from typing import Final

from rest_framework import serializers

from devices.models import PinReset, ResetMethod
from devices.operations.pins import PinSet
from portal.api.adiba.serializers import ID_LENGTH
from portal.api.serializing import Input, Moment, Output, Text, Word

PIN_LENGTH: Final = 64  # far above a PIN's: its form is the operation's business
CODE_LENGTH: Final = 64  # far above a code's: a wrong one is counted, not sorted out by its form
PERSON_LENGTH: Final = 64  # the longest customer number
CONTACT_LENGTH: Final = 254  # RFC 5321 4.5.3.1.3, less its angle brackets
NEXT_STEPS: Final = ["Test PIN authentication", "Enable biometric authentication if available"]
NEXT_STEP: Final = {
    ResetMethod.SMS: "Enter the verification code sent to your phone",
    ResetMethod.EMAIL: "Enter the verification code sent to your email",
}


class NewPin(Input):
    device_id = Text(trim_whitespace=False, max_length=ID_LENGTH)
    pin = Text(trim_whitespace=False, max_length=PIN_LENGTH)
    confirm_pin = Text(trim_whitespace=False, max_length=PIN_LENGTH)
    user_id = Text(required=False, max_length=PERSON_LENGTH)


class PinChange(Input):
    device_id = Text(trim_whitespace=False, max_length=ID_LENGTH)
    current_pin = Text(trim_whitespace=False, max_length=PIN_LENGTH)
    new_pin = Text(trim_whitespace=False, max_length=PIN_LENGTH)
    confirm_new_pin = Text(trim_whitespace=False, max_length=PIN_LENGTH)
    user_id = Text(required=False, max_length=PERSON_LENGTH)


class VerificationData(Input):
    """What the caller knows of the contact on file. That of the reset method is required."""

    phone_number = Text(required=False, max_length=CONTACT_LENGTH)
    email = Text(required=False, max_length=CONTACT_LENGTH)


class ResetRequest(Input):
    device_id = Text(trim_whitespace=False, max_length=ID_LENGTH)
    user_id = Text(required=False, max_length=PERSON_LENGTH)
    reset_method = Word(ResetMethod.values)
    verification_data = VerificationData()


class Confirmation(Input):
    reset_id = Text(trim_whitespace=False, max_length=64)
    verification_code = Text(max_length=CODE_LENGTH)
    new_pin = Text(trim_whitespace=False, max_length=PIN_LENGTH)
    confirm_new_pin = Text(trim_whitespace=False, max_length=PIN_LENGTH)


class _Success(Output):
    """The answers' common beginning."""

    status = serializers.SerializerMethodField()
    device_id = serializers.CharField(source="device.public_id")

    def get_status(self, done: PinSet) -> str:
        return "SUCCESS"


class Created(_Success):
    pin_created_at = Moment(source="at")
    message = serializers.SerializerMethodField()
    next_steps = serializers.SerializerMethodField()

    def get_message(self, done: PinSet) -> str:
        return "Device PIN created successfully"

    def get_next_steps(self, done: PinSet) -> list[str]:
        return NEXT_STEPS


class Changed(_Success):
    pin_changed_at = Moment(source="at")
    message = serializers.SerializerMethodField()
    sessions_invalidated = serializers.IntegerField(source="sessions_ended")

    def get_message(self, done: PinSet) -> str:
        return "Device PIN changed successfully"


class Initiated(Output):
    reset_id = serializers.CharField(source="public_id")
    status = serializers.SerializerMethodField()
    reset_method = serializers.ChoiceField(source="method", choices=ResetMethod.values)
    expires_at = Moment()
    message = serializers.SerializerMethodField()
    next_step = serializers.SerializerMethodField()

    def get_status(self, reset: PinReset) -> str:
        return "PENDING"

    def get_message(self, reset: PinReset) -> str:
        return "PIN reset initiated successfully"

    def get_next_step(self, reset: PinReset) -> str:
        return NEXT_STEP[ResetMethod(reset.method)]


class Confirmed(_Success):
    pin_reset_at = Moment(source="at")
    message = serializers.SerializerMethodField()
    temporary_access_revoked = serializers.SerializerMethodField()

    def get_message(self, done: PinSet) -> str:
        return "PIN reset completed successfully"

    def get_temporary_access_revoked(self, done: PinSet) -> bool:
        """The code is used up, and the device's other sessions have ended, each time."""
        return True
