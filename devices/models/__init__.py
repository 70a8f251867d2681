"""Devices and what hangs on them, one module each."""

from devices.models.bulk import BulkRun, BulkStep
from devices.models.device import (
    EXTERNAL_ID_FORM,
    ISSUED_KINDS,
    OWNED_KINDS,
    PUSH_FIELDS,
    Device,
    ExternalIdKind,
    Kind,
    PushPlatform,
)
from devices.models.fingerprints import Fingerprint, FingerprintPlatform
from devices.models.imports import ImportRefusal, ImportRun
from devices.models.issued import CardKind, IssuedDetails
from devices.models.keys import DeviceKey
from devices.models.pins import PIN_TRIES, DevicePin, PinReset, ResetMethod
from devices.models.transfers import Transfer

__all__ = [
    "EXTERNAL_ID_FORM",
    "ISSUED_KINDS",
    "OWNED_KINDS",
    "PUSH_FIELDS",
    "PIN_TRIES",
    "BulkRun",
    "BulkStep",
    "CardKind",
    "Device",
    "DeviceKey",
    "DevicePin",
    "ExternalIdKind",
    "Fingerprint",
    "FingerprintPlatform",
    "ImportRefusal",
    "ImportRun",
    "IssuedDetails",
    "Kind",
    "PinReset",
    "PushPlatform",
    "ResetMethod",
    "Transfer",
]
