import socket
import threading

import pytest

from portal.embedded import ports


def test_a_taken_port_is_told_apart_from_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ports.AddressTaken, match="in use"):
            ports.require_free("127.0.0.1", port)
    ports.require_free("127.0.0.1", port)


def test_an_address_of_another_machine_cannot_be_listened_at() -> None:
    with pytest.raises(ports.AddressTaken):
        ports.require_free("203.0.113.1", 8000)
    with pytest.raises(ports.AddressTaken):
        ports.require_free("no such name.invalid", 8000)


EVERYWHERE = "0.0.0.0"  # noqa: S104  asked, not bound


@pytest.mark.parametrize(("status", "expected"), [("200 OK", True), ("503 Busy", False), ("garbage", False)])
def test_only_an_ok_counts_as_an_answer(status: str, expected: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        assert ports.responds(EVERYWHERE, port, "/healthz", server_name="localhost") is expected
        thread.join()
    assert not ports.responds("127.0.0.1", port, "/healthz", server_name="localhost")
