"""The yardstick of the benchmark does what a host must, over a real socket."""

import asyncio
import socket
import sys

import pytest

from headrace.host.extproc.proto import messages as pb
from tests.host.extproc.wire import PATIENCE_S, Stream, body, client, head, reply, run, status

FDS, STREAMED = 4, 1
KINDS = ("headers", "body", "trailers")


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def talk(stream: Stream, mode: int) -> list[pb.ProcessingResponse]:
    """Return the answers to a whole exchange in *mode*."""
    first = head()
    first.protocol_config.request_body_mode = mode
    first.protocol_config.response_body_mode = mode
    fields = pb.HttpHeaders()
    parts = [
        first,
        body(b"abc"),
        pb.ProcessingRequest(request_trailers=pb.HttpTrailers()),
        pb.ProcessingRequest(response_headers=fields),
        pb.ProcessingRequest(response_body=pb.HttpBody(body=b"def", end_of_stream=True)),
        pb.ProcessingRequest(response_trailers=pb.HttpTrailers()),
    ]
    answers: list[pb.ProcessingResponse] = []
    for part in parts:
        await stream.write(part)
        answers.append(await reply(stream))
    await stream.done_writing()
    assert await status(stream) == "OK"
    return answers


@pytest.mark.parametrize("transport", ["grpcio", "native"])
def test_it_answers_every_message_in_kind_and_changes_nothing(transport: str) -> None:
    async def test() -> None:
        port = free_port()
        command = [sys.executable, "-m", "bench.nowork", "--port", str(port)]
        command += ["--transport", transport]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await listening(port)
            async with client(f"127.0.0.1:{port}") as stream_of:
                duplex = await talk(stream_of(), FDS)
                plain = await talk(stream_of(), STREAMED)
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE_S)

        kinds = [
            f"{d}_{k}" for d in ("request", "response") for k in ("headers", "body", "trailers")
        ]
        assert [m.WhichOneof("response") for m in duplex] == kinds
        assert [m.WhichOneof("response") for m in plain] == kinds
        echoed = [
            m.response.body_mutation.streamed_response
            for m in (duplex[1].request_body, duplex[4].response_body)
        ]
        assert [(e.body, e.end_of_stream) for e in echoed] == [(b"abc", False), (b"def", True)]
        assert not plain[1].request_body.response.HasField("body_mutation")
        assert not plain[4].response_body.response.HasField("body_mutation")
        assert process.returncode == 0

    run(test())


async def listening(port: int) -> None:
    """Wait until something listens on *port*."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return
