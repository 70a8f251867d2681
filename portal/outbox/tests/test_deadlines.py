"""A call ends in time, whatever the other side does to make it last."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import h2.config
import h2.connection
import httpcore
import pytest

from portal.outbox.gateways import deadlines, http
from portal.outbox.gateways.base import GatewayError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PACE = 0.01  # seconds between two pieces: each comes long before a step's timeout

pytestmark = pytest.mark.usefixtures("new_connections")

type Speaker = Callable[[socket.socket], None]


@contextmanager
def service(speak: Speaker) -> Iterator[str]:
    """The address of a server that talks to each caller as told, until the caller hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    talks: list[threading.Thread] = []

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                speak(connection)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            talks.append(threading.Thread(target=talk, args=(connection,), daemon=True))
            talks[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        http.close_clients()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *talks]:
            thread.join(30)


def on_and_on(connection: socket.socket, piece: bytes) -> None:
    pause = threading.Event()
    while True:
        connection.sendall(piece)
        pause.wait(PACE)


def dripping_headers(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    on_and_on(connection, b"x")


def early_hints(connection: socket.socket) -> None:
    connection.recv(65536)
    on_and_on(connection, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


def dripping_body(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    on_and_on(connection, b"x")


def good_then_dripping(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(ANSWER)
    dripping_headers(connection)


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def pinging(connection: socket.socket) -> None:
    """HTTP/2: alive for ever, with no answer."""
    speaker = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    speaker.initiate_connection()
    speaker.ping(b"12345678")
    on_and_on(connection, speaker.data_to_send())


def is_late(url: str, *, http2: bool = False) -> bool:
    """Whether a call ends, to be tried again: with which timeout depends on how busy the machine is."""
    with pytest.raises(GatewayError) as error:
        http.post("webhook", url, headers={"Content-Length": "2"}, body=b"{}", http2=http2)
    return error.value.retry and error.value.reason.startswith("webhook unavailable: ")


@pytest.mark.parametrize("speak", [dripping_headers, early_hints, dripping_body])
def test_an_answer_that_goes_on_for_ever_is_given_up(speak: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.5)
    with service(speak) as url:
        assert is_late(url)


def test_so_it_is_on_http2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.5)
    with service(pinging) as url:
        assert is_late(url, http2=True)


def test_so_it_is_on_a_connection_that_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(good_then_dripping) as url:
        assert http.post("webhook", url, headers={}, body=b"{}").body == b"ok"
        monkeypatch.setattr(http, "PATIENCE", 0.5)
        assert is_late(url)


def test_a_greeting_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing of TLS."""
    monkeypatch.setattr(http, "PATIENCE", 0.5)
    with service(silent) as url:
        assert is_late(url.replace("http://", "https://"))


@pytest.mark.parametrize("http2", [False, True])
def test_several_threads_end_each_by_its_own_deadline(http2: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.5)
    with service(pinging if http2 else early_hints) as url, ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda _: is_late(url, http2=http2), range(4)))


def test_a_call_that_was_late_takes_no_time_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def answering(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(ANSWER)

    with service(answering) as url:
        monkeypatch.setattr(http, "PATIENCE", 0.0)
        assert is_late(url)
        monkeypatch.setattr(http, "PATIENCE", 10.0)
        bodies = [http.get("webhook", url).body for _ in range(2)]
    assert bodies == [b"ok", b"ok"]


def test_a_step_has_what_is_left_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("portal.outbox.gateways.deadlines.time.monotonic", lambda: now)
    late = httpcore.WriteTimeout
    assert deadlines._left(5.0, late) == 5.0
    with deadlines.within(10.0):
        assert [deadlines._left(step, late) for step in (5.0, None)] == [5.0, 10.0]
        now = 107.0
        assert [deadlines._left(step, late) for step in (5.0, None)] == [3.0, 3.0]
        now = 110.0
        with pytest.raises(late):
            deadlines._left(5.0, late)
    assert deadlines._left(5.0, late) == 5.0
