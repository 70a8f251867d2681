import fcntl
import os
from pathlib import Path
from stat import S_IMODE

import pytest

from portal.audit.checkpoint_file import Appender, FileBroken, Reader, appending


def note(size: int) -> str:
    return f"origin\n{size}\nroot\n\n— origin signature{size}\n"


def append(path: Path, *sizes: int) -> None:
    with appending(path) as file:
        for size in sizes:
            file.append(note(size))


def records(path: Path) -> list[str]:
    reader, found = Reader(path), []
    while reader.next is not None:
        found.append(reader.next)
        reader.advance()
    return found


def last(path: Path) -> tuple[str, bool]:
    with appending(path) as file:
        return file.last, file.is_torn


def test_records_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    append(path, 1, 2)
    append(path, 3)
    assert records(path) == [note(1), note(2), note(3)]
    assert last(path) == (note(3), False)


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    append(path, 1)
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_missing_file_has_no_records(tmp_path: Path) -> None:
    assert records(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_the_last_record_of_a_long_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    append(path, *range(1, 500))
    assert path.stat().st_size > 16_384
    assert last(path) == (note(499), False)
    assert len(records(path)) == 499


@pytest.mark.parametrize("kept", [1, 20, len(note(2).encode()) - 1, len(note(2).encode())])
def test_a_write_that_was_cut_short_is_completed(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "file"
    append(path, 1)
    with path.open("ab") as file:
        file.write(note(2).encode()[:kept])
    assert last(path) == (note(1), True)
    append(path, 2, 3)
    assert records(path) == [note(1), note(2), note(3)]


def test_something_else_at_the_end_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    append(path, 1)
    with path.open("ab") as file:
        file.write(b"strange")
    before = path.read_bytes()
    with pytest.raises(FileBroken):
        append(path, 2)
    assert path.read_bytes() == before


def test_a_reader_keeps_to_the_end_it_saw(tmp_path: Path) -> None:
    path = tmp_path / "file"
    append(path, 1)
    reader = Reader(path)
    append(path, 2)
    assert reader.next == note(1)
    assert records(path) == [note(1), note(2)]
    reader.advance()
    assert [reader.next] == [None]
    assert not reader.is_torn


def test_what_is_left_at_the_end_is_compared_with_the_next_record(tmp_path: Path) -> None:
    path = tmp_path / "file"
    append(path, 1)
    with path.open("ab") as file:
        file.write(note(2).encode()[:9])
    reader = Reader(path)
    reader.advance()
    assert reader.is_torn
    assert (reader.begins(note(2)), reader.begins(note(3))) == (True, False)


def test_a_file_without_records_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x\n" * 1_000_000)
    reader = Reader(path)
    assert reader.next is None
    assert reader.is_torn
    assert not reader.begins(note(1))


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with appending(path) as file:
        assert isinstance(file, Appender)
        second = os.open(path, os.O_RDWR)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(second)
