"""The `h2` library as client: it checks every rule that it knows of, and raises."""

import socket
from dataclasses import dataclass, field
from typing import Any

import pytest
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from tests.conformance.calls import HEAD, REQUEST, chunk
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
READ_BYTES = 1 << 16
WAIT_S = 5.0


@dataclass(slots=True)
class Call:
    """One stream as the library saw it. Mutable; *left* is what still has to be sent."""

    left: bytes
    body: bytearray = field(default_factory=bytearray)
    trailers: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    over: bool = False


class Client:
    """A connection of `h2`. Mutable."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.initiate_connection()
        self.calls: dict[int, Call] = {}

    def close(self) -> None:
        """Say goodbye."""
        self._h2.close_connection()
        self._flush()
        self._socket.close()

    def begin(self, data: bytes) -> int:
        """Begin a call that sends *data*; return its stream."""
        stream = self._h2.get_next_available_stream_id()
        fields = [(str(name), str(value)) for name, value in REQUEST]
        self._h2.send_headers(stream, fields)
        self.calls[stream] = Call(data)
        return stream

    def run(self) -> None:
        """Go on until all calls are over."""
        while not all(call.over for call in self.calls.values()):
            for stream, call in self.calls.items():
                self._press(stream, call)
            self._flush()
            data = self._socket.recv(READ_BYTES)
            assert data, "closed in the middle"
            for event in self._h2.receive_data(data):
                self._take(event)
        self._flush()

    def _press(self, stream: int, call: Call) -> None:
        while call.left:
            room = self._h2.local_flow_control_window(stream)
            size = min(room, self._h2.max_outbound_frame_size, len(call.left))
            if size <= 0:
                return
            self._h2.send_data(stream, call.left[:size], end_stream=size == len(call.left))
            call.left = call.left[size:]

    def _take(self, event: Any) -> None:  # the library's events share no useful type
        match event:
            case events.DataReceived():
                self.calls[event.stream_id].body += event.data
                length = event.flow_controlled_length
                self._h2.acknowledge_received_data(length, event.stream_id)
            case events.TrailersReceived():
                self.calls[event.stream_id].trailers = dict(event.headers)
            case events.StreamEnded():
                self.calls[event.stream_id].over = True
            case events.StreamReset() | events.ConnectionTerminated():
                pytest.fail(f"{event}")
            case _:
                return

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())


@BOTH
def test_a_hundred_streams_side_by_side(site: Site) -> None:
    client = Client(site.port)
    sent = HEAD + chunk(3000) + chunk(0, end_of_stream=True)
    for _ in range(100):
        client.begin(sent)

    client.run()

    assert {bytes(call.trailers[b"grpc-status"]) for call in client.calls.values()} == {b"0"}
    assert len({bytes(call.body) for call in client.calls.values()}) == 1
    client.close()


@BOTH
def test_megabytes_through_the_librarys_small_windows(site: Site) -> None:
    client = Client(site.port)
    stream = client.begin(HEAD + chunk(60_000) * 40 + chunk(0, end_of_stream=True))

    client.run()

    assert len(client.calls[stream].body) > 40 * 60_000
    client.close()


@BOTH
def test_one_connection_serves_many_calls_one_after_another(site: Site) -> None:
    client = Client(site.port)
    for _ in range(200):
        client.begin(HEAD)
        client.run()

    assert {bytes(call.trailers[b"grpc-status"]) for call in client.calls.values()} == {b"0"}
    client.close()
