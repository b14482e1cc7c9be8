"""A real OTLP receiver that we did not write, and a place where it sends on what it received."""

import contextlib
import gzip
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def agent() -> Path:
    """Return the path of the receiver's program in the `rotel` wheel."""
    spec = find_spec("rotel")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "rotel-agent"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(slots=True)
class Received:
    """Spans in the order they came. Written by the sink's thread. *url*: the receiver's."""

    url: str
    spans: list[Span] = field(default_factory=list[Span])

    def wait_for(self, count: int, timeout_s: float = 10.0) -> list[Span]:
        """Return the spans once there are *count*."""
        ends_s = time.monotonic() + timeout_s
        while len(self.spans) < count:
            assert time.monotonic() < ends_s, f"{len(self.spans)} of {count} spans came"
            time.sleep(0.02)
        return list(self.spans)


@contextlib.contextmanager
def receiver() -> Generator[Received]:
    """Run rotel on loopback; it sends on to a sink of ours, which keeps what comes."""
    received = Received(f"http://127.0.0.1:{free_port()}")
    sink = HTTPServer(("127.0.0.1", 0), _sink(received))
    thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    process = subprocess.Popen(_command(received.url, sink.server_port), env={})
    try:
        _wait_until_open(received.url, process)
        yield received
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(5.0)
        sink.shutdown()
        thread.join(5.0)
        sink.server_close()


def _command(url: str, sink_port: int) -> list[str]:
    here = "127.0.0.1"
    return [
        str(agent()),
        "start",
        f"--otlp-http-endpoint={url.removeprefix('http://')}",
        f"--otlp-grpc-endpoint={here}:{free_port()}",
        "--exporter=otlp",
        "--otlp-exporter-protocol=http",
        f"--otlp-exporter-endpoint=http://{here}:{sink_port}",
        "--batch-timeout=50ms",
    ]


def _wait_until_open(url: str, process: subprocess.Popen[bytes]) -> None:
    port = int(url.rpartition(":")[2])
    ends_s = time.monotonic() + 10.0
    while True:
        assert process.poll() is None, "the receiver ended"
        assert time.monotonic() < ends_s, "the receiver does not listen"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        time.sleep(0.02)


def _sink(received: Received) -> type[BaseHTTPRequestHandler]:
    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers["content-encoding"] == "gzip":  # whatever it was asked to do
                body = gzip.decompress(body)
            message = ExportTraceServiceRequest.FromString(body)
            for resource in message.resource_spans:
                for scope in resource.scope_spans:
                    received.spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Sink
