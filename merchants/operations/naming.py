"""How a caller names a device, and what is said where it names none."""

from typing import Final

from devices.models import EXTERNAL_ID_FORM
from portal.core.errors import InvalidInput, NotFound

BAD_FORM: Final = "Invalid device ID format"  # both as the vendor prints them
UNKNOWN: Final = "Device not found in system"


def require_device_id(text: str) -> None:
    """Raises InvalidInput `invalid-format` for what is the id of no device."""
    if not EXTERNAL_ID_FORM.fullmatch(text):
        raise InvalidInput.at("device_id", "invalid-format", BAD_FORM)


def unknown() -> NotFound:
    """The one refusal for whatever is not there, or not the caller's."""
    return NotFound(UNKNOWN)
