"""What each layer costs by itself: ``make layers``, or ``pytest bench/layers.py -k decode``.

The layers in the order in which an exchange meets them. Compare medians of one run with one
another; ``--benchmark-save A`` and ``--benchmark-compare A`` compare two runs.
"""

import asyncio
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import TypeVar, cast

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.decision import Scene, unstaged
from bench.inprocess import EVENT, InProcess
from bench.load import Load, chat
from bench.sides import GUARD
from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.call import Call, CallFault, parse_call
from headrace.extensions.picker.decide import decide
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import prompt_of
from headrace.extensions.safety.pattern import pattern_list
from headrace.host.exchange.event_stream import EventSplitter
from headrace.host.exchange.part import Direction
from headrace.host.exchange.reply import BodyReply, Streamed
from headrace.host.extproc.codec import decode, encode

T = TypeVar("T")
DEFAULT = Path(__file__).parent.parent / "policies" / "default.sched"
MESSAGES = ("head", "chunk", "end", "answer head", "answer")  # of `InProcess.talk`
TOKENS = (200, 10_000)
ENDPOINTS = (8, 64, 512)
PATTERN = GUARD.split('"')[1]


def measured(benchmark: BenchmarkFixture, work: Callable[[], T]) -> T:
    """Time *work*, as often as it takes; return what it returns."""
    run = cast(Callable[[Callable[[], T]], T], benchmark)  # the fixture's own call has no types
    return run(work)


def in_a_loop(work: Callable[[], T]) -> T:
    """Return what *work* does inside a running event loop, which sessions need."""

    async def running() -> T:
        return work()

    return asyncio.run(running())


def asked(tokens: int) -> Call:
    """Return a chat with a prompt of so many *tokens*, read."""
    call = parse_call("/v1/chat/completions", "application/json", _body(tokens))
    assert not isinstance(call, CallFault), call
    return call


def _body(tokens: int) -> bytes:
    return chat(1, Load(1, prompt_tokens=tokens))


@pytest.mark.parametrize("part", MESSAGES)
def test_decode_a_message(benchmark: BenchmarkFixture, part: str) -> None:
    message = in_a_loop(lambda: InProcess().talk(1)[MESSAGES.index(part)])
    assert measured(benchmark, lambda: decode(message)).part is not None


def test_encode_a_chunk(benchmark: BenchmarkFixture) -> None:
    reply = BodyReply(Direction.RESPONSE, Streamed(EVENT))
    assert EVENT in measured(benchmark, lambda: encode(reply))


@pytest.mark.parametrize("tokens", TOKENS)
def test_read_a_call(benchmark: BenchmarkFixture, tokens: int) -> None:
    body = _body(tokens)
    call = measured(benchmark, lambda: parse_call("/v1/chat/completions", "application/json", body))
    assert isinstance(call, Call)


@pytest.mark.parametrize("tokens", TOKENS)
def test_screen_a_prompt(benchmark: BenchmarkFixture, tokens: int) -> None:
    patterns, text = pattern_list((PATTERN,)), _body(tokens).decode()
    assert measured(benchmark, lambda: patterns.found(text)) == ()


@pytest.mark.parametrize("tokens", TOKENS)
def test_hash_a_prompt(benchmark: BenchmarkFixture, tokens: int) -> None:
    call = asked(tokens)
    assert measured(benchmark, lambda: prompt_of(call, "m")).hashes


@pytest.mark.parametrize("tokens", TOKENS)
def test_match_a_prompt_at_64_endpoints(benchmark: BenchmarkFixture, tokens: int) -> None:
    index, prompt = PrefixIndex(), prompt_of(asked(tokens), "m")
    for at in range(64):
        index.insert(f"10.0.0.{at}:8000", prompt.hashes[: 1 + at], prompt)
    assert measured(benchmark, lambda: index.match(prompt.hashes, prompt.turns))


@pytest.mark.parametrize("size", ENDPOINTS)
def test_decide(benchmark: BenchmarkFixture, size: int) -> None:
    scene = Scene(size)
    requests = cycle(scene.requests)
    found = measured(benchmark, lambda: decide(scene.question(next(requests)), scene.plans))
    assert found.destinations


@pytest.mark.parametrize("size", ENDPOINTS)
def test_evaluate_every_rule_everywhere(benchmark: BenchmarkFixture, size: int) -> None:
    scene = Scene(size)
    pool, request = scene.store.snapshot.pools["p"], scene.requests[0]
    assert measured(benchmark, lambda: unstaged(scene.profile, pool, request)) in scene.addresses


def test_split_a_stream_cut_anywhere(benchmark: BenchmarkFixture) -> None:
    stream = EVENT * 32
    pieces = [stream[at : at + 100] for at in range(0, len(stream), 100)]

    def split() -> int:
        splitter = EventSplitter()
        return sum(len(splitter.push(piece)) for piece in pieces) + len(splitter.finish())

    assert measured(benchmark, split) == 32


@pytest.mark.parametrize("events", [0, 32], ids=["whole answer", "32 events"])
def test_the_whole_chain(benchmark: BenchmarkFixture, events: int) -> None:
    def measure() -> int:
        host = InProcess(64)
        talks = cycle([host.talk(number, events) for number in range(64)])
        return len(measured(benchmark, lambda: host.run(next(talks))))

    assert in_a_loop(measure) == (events or 1) + 3


def test_compile_a_policy(benchmark: BenchmarkFixture) -> None:
    text = DEFAULT.read_text()
    assert measured(benchmark, lambda: compile_policy([Source(DEFAULT.name, text)])).profiles
