"""Uploaded files, kept in memory only: nothing of them is ever written to a disk unsealed."""

from io import BytesIO

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

ROOM = 64 * 1024  # for the other fields and the borders between them
PATIENCE = 16  # times the limit: what is larger is not even read to its end


class BoundedUpload(FileUploadHandler):
    """Takes files of at most `limit` bytes in all; of more nothing is kept, and `too_large` says so."""

    def __init__(self, request: HttpRequest, limit: int) -> None:
        super().__init__(request)
        self.limit = limit
        self.too_large = False
        self.taken = 0
        self.data = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start == 0:
            self.data = BytesIO()
        self.taken += len(raw_data)
        if self.taken > self.limit:
            self.too_large = True
            self.data = BytesIO()
            raise StopUpload(connection_reset=False)
        self.data.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile | None:
        self.data.seek(0)
        return InMemoryUploadedFile(
            file=self.data,
            field_name=self.field_name,
            name=self.file_name or "",
            content_type=self.content_type or "",
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )


def take_uploads(request: HttpRequest, limit: int) -> BoundedUpload | None:
    """Let files of this request into memory, up to `limit` bytes. None: so much was announced that it is not read.

    Call it before anything reads the form.
    """
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if announced.isascii() and announced.isdigit() and int(announced) > limit * PATIENCE + ROOM:
        return None
    handler = BoundedUpload(request, limit)
    request.upload_handlers = [handler]
    return handler
