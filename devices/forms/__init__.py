"""The forms of the pages about devices, one module a topic."""

from devices.forms.registry import (
    LONGEST_SEARCH,
    DeviceSearchForm,
    ReasonForm,
)

__all__ = [
    "DeviceSearchForm",
    "LONGEST_SEARCH",
    "ReasonForm",
]
