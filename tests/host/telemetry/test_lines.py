import os
import time
from collections.abc import Iterator

import pytest

from headrace.host.telemetry.lines import LineWriter

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


def test_lines_come_out_in_order(pipe: Pipe) -> None:
    reader, writer = pipe
    dropped: list[int] = []
    lines = LineWriter(writer, dropped.append)
    lines.start()
    for i in range(1500):
        lines.put(b"line %d" % i)

    assert lines.close(5.0)
    assert os.read(reader, 1 << 20) == b"".join(b"line %d\n" % i for i in range(1500))
    assert dropped == []


def test_a_reader_that_sleeps_stops_nobody_and_costs_lines_only(pipe: Pipe) -> None:
    reader, writer = pipe
    dropped: list[int] = []
    lines = LineWriter(writer, dropped.append, lines_max=100)
    lines.start()
    began_s = time.monotonic()
    for _ in range(5000):
        lines.put(b"x" * 1000)
    took_s = time.monotonic() - began_s
    closed = lines.close(0.2)

    assert took_s < 1.0
    assert sum(dropped) > 0
    assert not closed, "the pipe is full, so what waits cannot go out"
    os.close(reader)
    assert lines.close(5.0), "the thread has ended, and writes to no later file of that number"


def test_a_reader_that_is_gone_costs_lines_only(pipe: Pipe) -> None:
    reader, writer = pipe
    os.close(reader)
    dropped: list[int] = []
    lines = LineWriter(writer, dropped.append)
    lines.put(b"one")
    lines.put(b"two")
    lines.start()

    assert lines.close(5.0)
    assert sum(dropped) == 2


def test_what_was_put_before_the_start_is_written(pipe: Pipe) -> None:
    reader, writer = pipe
    lines = LineWriter(writer, lambda count: None)
    lines.put(b"early")
    assert not lines.close(0.1)
    lines.start()

    assert lines.close(5.0)
    assert os.read(reader, 100) == b"early\n"
