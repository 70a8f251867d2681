"""Uploaded files stay in memory, and only so much of them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest
from django.test import RequestFactory

from portal.web.uploads import PATIENCE, ROOM, take_uploads


def posted(**files: bytes) -> HttpRequest:
    sent = {name: SimpleUploadedFile(f"{name}.csv", content) for name, content in files.items()}
    return RequestFactory().post("/", {**sent, "word": "kept"})


def received(request: HttpRequest) -> list[bytes]:
    files = [file for each in request.FILES.lists() for file in each[1]]
    return [file.read() for file in files]


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_files_up_to_the_limit_are_taken(size: int) -> None:
    request = posted(file=b"x" * size)
    handler = take_uploads(request, 100_000)
    assert handler is not None
    assert request.POST["word"] == "kept"
    assert received(request) == [b"x" * size]
    assert not handler.too_large


def test_several_files_share_the_limit() -> None:
    request = posted(one=b"1" * 10, two=b"2" * 20)
    assert take_uploads(request, 30)
    assert received(request) == [b"1" * 10, b"2" * 20]


@pytest.mark.parametrize("files", [{"file": b"x" * 31}, {"one": b"1" * 16, "two": b"2" * 15}])
def test_of_more_than_the_limit_no_more_is_kept(files: dict[str, bytes]) -> None:
    request = posted(**files)
    handler = take_uploads(request, 30)
    assert handler is not None
    assert len(b"".join(received(request))) <= 30
    assert handler.too_large
    assert handler.data.getvalue() == b""


@pytest.mark.parametrize("announced", ["²", "x", "-1", "٣"])
def test_a_length_that_is_no_number_does_not_break(announced: str) -> None:
    request = posted()
    request.META["CONTENT_LENGTH"] = announced
    assert take_uploads(request, 30) is not None


def test_what_announces_far_too_much_is_not_read() -> None:
    request = posted(file=b"x")
    request.META["CONTENT_LENGTH"] = str(30 * PATIENCE + ROOM + 1)
    assert take_uploads(request, 30) is None
