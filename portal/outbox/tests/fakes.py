"""Services that carry messages, as local servers that note what they were asked and answer as they are told."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import h2.config
import h2.connection
import h2.events


@dataclass(frozen=True)
class Asked:
    """One request. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What to answer. body: bytes as they are, anything else as JSON. before: called when the request is there."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Service:
    """A server at `url`. It gives `answers` in turn, and 200 when there are no more."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Asked) -> Answer:
        with self.guard:
            self.asked.append(request)
            answer = self.answers.pop(0) if self.answers else Answer()
        answer.before()
        return answer


@contextmanager
def http_service(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """A service that speaks HTTP/1.1 on loopback, over TLS when a context is given."""
    service = Service(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer = service.answer(Asked("POST", self.path, headers, body))
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.data)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.data)

        def log_message(self, *args: object) -> None:
            """Nothing: the tests look at `asked`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            """A caller that hung up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    service.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def http2_service(*answers: Answer) -> Iterator[Service]:
    """A service that speaks HTTP/2 alone, from the first byte (RFC 9113 3.3), as Apple's does."""
    service = Service(answers=list(answers))
    listener = socket.create_server(("127.0.0.1", 0))
    service.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    open_now: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_now.append(connection)
            threading.Thread(target=_speak, args=(connection, service), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield service
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in open_now:
            connection.close()


def _speak(connection: socket.socket, service: Service) -> None:
    speaker = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    speaker.initiate_connection()
    headers: dict[int, dict[str, str]] = {}
    bodies: dict[int, bytes] = {}
    try:
        connection.sendall(speaker.data_to_send())
        while data := connection.recv(65536):
            for event in speaker.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers[event.stream_id] = dict(event.headers)  # type: ignore[arg-type]
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                elif isinstance(event, h2.events.StreamEnded):
                    _answer(speaker, service, event.stream_id, headers, bodies)
            connection.sendall(speaker.data_to_send())
    except OSError:
        return


def _answer(
    speaker: h2.connection.H2Connection,
    service: Service,
    stream: int,
    headers: dict[int, dict[str, str]],
    bodies: dict[int, bytes],
) -> None:
    sent = headers[stream]
    answer = service.answer(Asked(sent[":method"], sent[":path"], sent, bodies.get(stream, b"")))
    speaker.send_headers(stream, [(":status", str(answer.status)), *answer.headers.items()])
    speaker.send_data(stream, answer.data, end_stream=True)
