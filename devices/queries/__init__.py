"""Reads that screens and answers share, one module a topic."""

from devices.queries.registry import (
    COUNTED_UP_TO,
    PAGE_SIZE,
    SORTS,
    DeviceFilter,
    DevicePage,
    OffsetPage,
    Posture,
    count_by_status,
    device_for_status,
    device_page,
    get_device,
    get_owned_device,
    has_proved_key,
    live_sessions_of,
    owned_devices_page,
    posture_of,
)

__all__ = [
    "COUNTED_UP_TO",
    "DeviceFilter",
    "DevicePage",
    "OffsetPage",
    "PAGE_SIZE",
    "Posture",
    "SORTS",
    "count_by_status",
    "device_for_status",
    "device_page",
    "get_device",
    "get_owned_device",
    "has_proved_key",
    "live_sessions_of",
    "owned_devices_page",
    "posture_of",
]
