"""The checkpoints outside the database: a file, only appended to, of signed notes with an empty line after each.

The database commits first, the file follows. So a record here that the table lacks means that the table lost its
end, while a record missing at this file's end is only late: the next sealing writes it. A write that was cut short
leaves the beginning of the next record, and the next write adds the rest; nothing is ever taken back, so the file
may live on storage that allows appending only.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

_SIGNATURE_LINE = "— "
_RECORD_END = re.compile(b"\n" + _SIGNATURE_LINE.encode() + b"[^\n]*\n\n")
_TAIL_BYTES = 8192  # several records


class FileBroken(Exception):
    """The file holds something that is no record and not the beginning of the next one."""


def default_path() -> Path:
    """Where this node keeps its file."""
    return Path(settings.VAR) / "audit" / "checkpoints"


class Appender:
    """The file, opened and locked. `last` is its last whole record, "" where there is none."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        ends = [0, *(match.end() for match in _RECORD_END.finditer(tail))]
        self._torn = tail[ends[-1] :]
        self.last = tail[ends[-2] : ends[-1] - 1].decode() if len(ends) > 1 else ""

    @property
    def is_torn(self) -> bool:
        """Whether the beginning of another record follows the last whole one."""
        return bool(self._torn)

    def append(self, note: str) -> None:
        """Write the next record, or the rest of one that was begun, and wait until it is on the disk.

        Raises FileBroken where something else was begun, OSError where the disk refuses.
        """
        record = _record(note)
        if not record.startswith(self._torn):
            raise FileBroken("the checkpoint file ends in something that is not the next checkpoint")
        rest = record[len(self._torn) :]
        while rest:
            written = os.write(self._descriptor, rest)
            self._torn, rest = self._torn + rest[:written], rest[written:]
        os.fsync(self._descriptor)
        self._torn, self.last = b"", note


@contextmanager
def appending(path: Path) -> Iterator[Appender]:
    """The file, for one writer at a time on this node. Made (0600) where it is missing. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Appender(descriptor)
    finally:
        os.close(descriptor)


class Reader:
    """The records from first to last, as far as the file went when this was made. A missing file has none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = path.stat().st_size if path.exists() else 0
        self._records = self._read()
        self._torn = ""
        self.next: str | None = None
        self.advance()

    def advance(self) -> None:
        """Go on: `next` becomes the next whole record, or None at the end."""
        self.next = next(self._records, None)

    def begins(self, note: str) -> bool:
        """At the end: whether what is left there, if anything, is the beginning of this record."""
        return _record(note).startswith(self._torn.encode())

    @property
    def is_torn(self) -> bool:
        """At the end: whether a begun record stands there."""
        return bool(self._torn)

    def _read(self) -> Iterator[str]:
        if not self.length:
            return
        left = self.length
        lines: list[str] = []
        with self.path.open("rb") as file:
            while left > 0 and (line := file.readline(min(left, _TAIL_BYTES))):
                left -= len(line)
                lines.append(line.decode(errors="replace"))
                if line == b"\n" and len(lines) > 1 and lines[-2].startswith(_SIGNATURE_LINE):
                    yield "".join(lines[:-1])
                    lines = []
                elif len(lines) > _LONGEST_RECORD:
                    break
        self._torn = "".join(lines)


_LONGEST_RECORD = 16  # lines; ours have seven


def _record(note: str) -> bytes:
    return f"{note}\n".encode()
