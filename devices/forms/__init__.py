"""The forms of the pages about devices, one module a topic."""

from devices.forms.registry import (
    DeviceSearchForm,
    ReasonForm,
)

__all__ = [
    "DeviceSearchForm",
    "ReasonForm",
]
