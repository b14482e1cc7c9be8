"""The rules of order that Envoy holds a processor to, as a checker of outputs."""

from collections import Counter
from dataclasses import dataclass, field

from headrace.host.exchange.part import BodyMode, Chunk, Direction, Head, Modes, Part, Trailers
from headrace.host.exchange.reply import (
    Abort,
    BodyReply,
    Cancel,
    ExtendTimeout,
    HeadersReply,
    LocalChunk,
    LocalHead,
    LocalTrailers,
    Output,
    Perform,
    Streamed,
    TrailersReply,
)

FDS = BodyMode.FULL_DUPLEX_STREAMED


@dataclass(slots=True)
class Rules:
    """What was sent and replied so far. `sent` and `check` are called in order of happening."""

    modes: Modes
    received: Counter[tuple[Direction, type[Part]]] = field(
        default_factory=Counter[tuple[Direction, type[Part]]]
    )
    replied: Counter[tuple[Direction, type[Output]]] = field(
        default_factory=Counter[tuple[Direction, type[Output]]]
    )
    ended: set[Direction] = field(default_factory=set[Direction])
    streaming: bool = False
    over: str = ""

    def sent(self, part: Part) -> None:
        self.received[part.direction, type(part)] += 1

    def check(self, outputs: list[Output]) -> None:
        """Assert that Envoy would take *outputs*."""
        for output in outputs:
            if isinstance(output, Perform | Cancel):
                continue
            assert not self.over, f"{output} after {self.over}"
            local = isinstance(output, LocalHead | LocalChunk | LocalTrailers)
            assert local or not self.streaming or isinstance(output, Abort), output
            match output:
                case LocalHead() | LocalChunk() | LocalTrailers():
                    self._local(output)
                case HeadersReply():
                    self._count(output.direction, Head, output)
                    if output.body is not None:  # and Envoy asks for no more of it
                        self.ended.add(output.direction)
                case BodyReply():
                    self._body(output)
                case TrailersReply():
                    self._count(output.direction, Trailers, output)
                    assert output.direction not in self.ended
                case ExtendTimeout():
                    pass
                case Abort():
                    self.over = "an abort"
                case _:
                    self.over = "an answer of ours"

    def _local(self, output: LocalHead | LocalChunk | LocalTrailers) -> None:
        assert isinstance(output, LocalHead) != self.streaming, output
        self.streaming = True
        if isinstance(output, LocalTrailers) or output.end_of_stream:
            self.over = "a streamed answer of ours"

    def _body(self, reply: BodyReply) -> None:
        where = reply.direction
        head_waits = self.received[where, Head] and not self.replied[where, HeadersReply]
        assert not head_waits, "body reply before headers reply"
        assert where not in self.ended, "body reply after the end"
        assert not self.replied[where, TrailersReply], "body reply after trailers reply"
        if isinstance(reply.body, Streamed):
            assert self.modes.of(where) is FDS
            assert len(reply.body.data) <= 62_000
            if reply.body.end_of_stream:
                assert not self.received[where, Trailers]
                self.ended.add(where)
        else:
            assert self.modes.of(where) is not FDS
            self._count(where, Chunk, reply)

    def _count(self, where: Direction, kind: type[Part], reply: Output) -> None:
        self.replied[where, type(reply)] += 1
        assert self.replied[where, type(reply)] <= self.received[where, kind], reply
