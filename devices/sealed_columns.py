"""What devices and their imports keep sealed, and how a device is found by it."""

from devices.models import Device, ImportRun
from devices.operations.imports import CONTENT
from devices.querysets import EXTERNAL_ID, PUSH_HANDLE
from portal.sealed import BlindIndex, SealedColumn, register

external_id = SealedColumn(model=Device, column="external_id_sealed", purpose=EXTERNAL_ID)
push_handle = SealedColumn(model=Device, column="push_handle_sealed", purpose=PUSH_HANDLE)

register(
    external_id,
    push_handle,
    SealedColumn(model=ImportRun, column="content_sealed", purpose=CONTENT, batch=2),  # whole files
    indexes=(BlindIndex(sealed=external_id), BlindIndex(sealed=push_handle)),
)
