"""The whole chain without sockets: what one exchange costs between two transports' calls.

The messages are those of a real Envoy 1.35 or later. Counting calls of functions, unlike
timing them, gives the same number on every machine, so that a test can hold it.
"""

import asyncio
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from bench.load import Load, chat
from bench.sides import CHAIN, GUARD, POLICY
from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.session import Door, Session
from headrace.host.generation import build_generation
from headrace.host.telemetry.telemetry import Telemetry

FULL_DUPLEX_STREAMED, STREAMED = 4, 1
SERVED = "x-gateway-destination-endpoint-served"
PICKED = re.compile(rb"10\.0\.1\d\d\.1\d\d:8000")
ANSWER = b'{"id":"c","choices":[{"message":{"content":"%b"}}],"usage":{"prompt_tokens":200}}'
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}],"model":"m"}\n\n'


class InProcess:
    """A host without sockets. Use it inside a running event loop."""

    def __init__(self, endpoints: int = 16, policy: str = POLICY) -> None:
        # All as long as one another, so that one can stand for another in a message: see `run`.
        addresses = [f"10.0.{100 + at // 100}.{100 + at % 100}:8000" for at in range(endpoints)]
        quoted = ", ".join(f'"{address}"' for address in addresses)
        text = policy.format(endpoints=quoted, guard=GUARD, chain=CHAIN)
        program = compile_policy([Source("bench.sched", text)])
        store = Store.for_program(program)
        now_s = asyncio.get_running_loop().time()
        for at, address in enumerate(addresses):
            facts = ServerFacts(at % 3, at % 5, at / endpoints, None, (), 2)
            store.scraped("p", address, facts, now_s)
        self.telemetry = Telemetry(0.0)
        self._generation = build_generation(program, Site(store, self.telemetry.report, 0))
        self._door = Door(
            self._generation.open,
            counts=self.telemetry.metrics,
            wants_context=self._generation.wants_context,
        )
        self._address = addresses[0].encode()

    def talk(self, number: int, events: int = 0) -> tuple[bytes, ...]:
        """Return what Envoy says in exchange *number*; with *events*, of a streamed answer."""
        body = chat(number, Load(1, stream=bool(events)))
        asked = pb.ProcessingRequest(request_headers=_head(number, len(body)))
        asked.protocol_config.request_body_mode = FULL_DUPLEX_STREAMED
        asked.protocol_config.response_body_mode = STREAMED
        whole = pb.ProcessingRequest(request_body=pb.HttpBody(body=body))
        over = pb.ProcessingRequest(request_body=pb.HttpBody(end_of_stream=True))
        answered = pb.ProcessingRequest(response_headers=_answer_head(bool(events)))
        space = answered.metadata_context.filter_metadata["envoy.lb"]
        space.fields[SERVED].string_value = self._address.decode()
        pieces = [EVENT] * events or [ANSWER % (b"word " * 32)]
        parts = [
            pb.ProcessingRequest(
                response_body=pb.HttpBody(body=piece, end_of_stream=at == len(pieces) - 1),
                metadata_context=answered.metadata_context,
            )
            for at, piece in enumerate(pieces)
        ]
        messages = (asked, whole, over, answered, *parts)
        return tuple(message.SerializeToString() for message in messages)

    def run(self, talk: tuple[bytes, ...]) -> list[bytes]:
        """Return what is answered to the messages of *talk*; it is served where it was picked."""
        session = Session(self._door, "default", "", _nobody)
        answers: list[bytes] = []
        picked = self._address
        for message in talk:
            session.receive(message.replace(self._address, picked))
            answers += session.frames
            session.frames.clear()
            if picked is self._address and (found := PICKED.search(b"".join(answers))):
                picked = found[0]
        assert session.abort is None, session.abort
        session.half_close()
        session.leave()
        return answers


def calls_in(work: Callable[[], object]) -> int:
    """Return how many calls of Python functions *work* makes, generators' turns included."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:  # Any: as sys has it
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def _head(number: int, size_bytes: int) -> pb.HttpHeaders:
    return _fields(
        (":authority", "bench"),
        (":path", "/v1/chat/completions"),
        (":method", "POST"),
        (":scheme", "http"),
        ("content-type", "application/json"),
        ("content-length", str(size_bytes)),
        ("x-forwarded-for", "192.0.2.2"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", f"88acbd41-e8b0-41b4-a03c-{number:012d}"),
    )


def _answer_head(streams: bool) -> pb.HttpHeaders:
    kind = "text/event-stream" if streams else "application/json"
    return _fields(
        (":status", "200"), ("content-type", kind), ("x-envoy-upstream-service-time", "0")
    )


def _fields(*pairs: tuple[str, str]) -> pb.HttpHeaders:
    head = pb.HttpHeaders()
    for name, value in pairs:
        head.headers.headers.add(key=name, raw_value=value.encode())
    return head


def _nobody() -> None:
    """Wake nobody: nothing is awaited here."""
