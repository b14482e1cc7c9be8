"""A metrics page, read for the few lines that matter. Pure: bytes in, facts out.

A page of 200 KB has thousands of lines, and the picker needs about ten. So each metric
is searched for by name, and nothing else is looked at. Format: Prometheus text 0.0.4,
where the lines of one metric stand together.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from headrace.extensions.picker.snapshot import NO_METRICS, ServerFacts
from headrace.host.scrape.dialect import AdapterInfo, CacheInfo, Combine, Dialect, Gauge

COUNT_MAX = 2**31 - 1  # as the language bounds counts
RATIO_SLACK = 0.01  # a ratio computed in floats may come out a little above 1
LABEL = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"')
ESCAPE = re.compile(r"\\(.)")
N = TypeVar("N", int, float)
NEWLINE_ESCAPED = {"n": "\n"}


class PageFault(Exception):
    """The page is none of this dialect; the text says why."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that could not be read, and why. It stands where the value would stand."""

    why: str


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a metric: *labels* as they stand between the braces, and its value."""

    labels: bytes
    value: float


def read_page(page: bytes, dialect: Dialect, asked: Sequence[bytes] = ()) -> ServerFacts:
    """Return what *page* tells. What it does not tell, or tells badly, is None and a problem.

    asked  the names of further metrics; what the page lacks of these is absent, and no problem

    Raises:
        PageFault: it has neither a queue nor a running count of this dialect.
    """
    waiting = _count(page, dialect.waiting)
    running = _count(page, dialect.running)
    if waiting is None and running is None:
        name = dialect.waiting.names[0].decode()
        raise PageFault(f"no `{name}` on the page; is this a {dialect.name} server?")
    kv_cache = _ratio(page, dialect.kv_cache)
    adapters, adapters_max = _adapters(page, dialect.adapters)
    block_size, num_blocks = _cache(page, dialect.cache)
    started = next(series(page, dialect.started), None)
    known = {"queue": waiting, "running": running, "kv_cache": kv_cache}
    return ServerFacts(
        waiting=_known(waiting),
        running=_known(running),
        kv_cache=_known(kv_cache),
        adapters=adapters,
        adapters_max=adapters_max,
        block_size=block_size,
        num_blocks=num_blocks,
        started_s=started.value if started and math.isfinite(started.value) else None,
        metrics=_sums(page, asked) if asked else NO_METRICS,
        problems=tuple(_problems(known)),
    )


def series(page: bytes, name: bytes) -> Iterator[Series]:
    """Yield the series of the metric *name*, in the order of the page; a broken line has NaN."""
    start = 0 if page.startswith(name) else page.find(b"\n" + name) + 1
    while start or page.startswith(name):
        end = page.find(b"\n", start)
        line = page[start : end if end >= 0 else len(page)]
        if not line.startswith(name):
            return
        following = line[len(name) : len(name) + 1]
        if following in (b"{", b" ", b"\t"):
            yield _series(line[len(name) :])
            if end < 0:
                return
            start = end + 1
        else:  # a longer name that begins alike
            start = page.find(b"\n" + name, start) + 1
            if not start:
                return


def labels_of(raw: bytes) -> dict[str, str]:
    """Return the labels in *raw*, unescaped; bytes that are not UTF-8 are replaced."""
    return {
        key.decode(): _unescaped(value.decode("utf-8", "replace"))
        for key, value in LABEL.findall(raw)
    }


def _series(rest: bytes) -> Series:
    """Return the series of a line after its name: ``{labels} value [timestamp]``."""
    closing = rest.rfind(b"}")  # the last one ends the labels: no value contains it
    words = rest[closing + 1 :].split(None, 1)
    try:
        value = float(words[0])
    except (ValueError, IndexError):
        value = math.nan
    return Series(rest[1:closing] if closing > 0 else b"", value)


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return ESCAPE.sub(lambda m: NEWLINE_ESCAPED.get(m[1], m[1]), value)


def _sums(page: bytes, names: Sequence[bytes]) -> Mapping[str, float]:
    """Return of each of *names* that the page has the sum of its series, whatever their labels.

    One that is not finite is no number to decide by, and left out.
    """
    sums: dict[str, float] = {}
    for name in names:
        values = [s.value for s in series(page, name)]
        if values and all(map(math.isfinite, values)):
            total = sum(values)
            if math.isfinite(total):
                sums[name.decode()] = total
    return MappingProxyType(sums)


def _values(page: bytes, gauge: Gauge) -> list[float]:
    for name in gauge.names:
        values = [s.value for s in series(page, name)]
        if values:
            return values
    return []


def _combined(page: bytes, gauge: Gauge) -> float | Unknown | None:
    """Return the one value of *gauge*; None if the page has no such metric."""
    values = _values(page, gauge)
    if not values:
        return None
    if not all(map(math.isfinite, values)):
        return Unknown("not a finite number")
    total = math.fsum(values)
    return total / len(values) if gauge.combine is Combine.MEAN else total


def _count(page: bytes, gauge: Gauge) -> int | Unknown | None:
    value = _combined(page, gauge)
    if isinstance(value, float) and not 0 <= value <= COUNT_MAX:
        return Unknown(f"{value:g} is no count")
    return int(value) if isinstance(value, float) else value


def _ratio(page: bytes, gauge: Gauge) -> float | Unknown | None:
    value = _combined(page, gauge)
    if isinstance(value, float) and not 0 <= value <= 1 + RATIO_SLACK:
        return Unknown(f"{value:g} is no ratio")
    return min(1.0, value) if isinstance(value, float) else value


def _known(value: N | Unknown | None) -> N | None:
    return None if isinstance(value, Unknown) else value


def _problems(values: Mapping[str, float | Unknown | None]) -> Iterator[str]:
    for name, value in values.items():
        if value is None:
            yield f"{name} is missing"
        elif isinstance(value, Unknown):
            yield f"{name}: {value.why}"


def _adapters(page: bytes, info: AdapterInfo | None) -> tuple[tuple[str, ...], int | None]:
    """Return the adapters, running ones first, and how many there may be."""
    if info is None:
        return (), None
    newest: Series | None = None
    for one in series(page, info.name):
        if newest is None or one.value >= newest.value:
            newest = one
    if newest is None:
        return (), None
    labels = labels_of(newest.labels)
    named = f"{labels.get(info.running, '')},{labels.get(info.waiting, '')}"
    adapters = dict.fromkeys(a.strip() for a in named.split(",") if a.strip())
    return tuple(adapters), _integer(labels.get(info.adapters_max, ""))


def _cache(page: bytes, info: CacheInfo | None) -> tuple[int | None, int | None]:
    """Return the tokens of a block, and the blocks of all engines together."""
    if info is None:
        return None, None
    engines = [labels_of(s.labels) for s in series(page, info.name)]
    sizes = [_integer(labels.get(info.block_size, "")) for labels in engines]
    blocks = [_integer(labels.get(info.num_blocks, "")) for labels in engines]
    return next(filter(None, sizes), None), sum(filter(None, blocks)) or None


def _integer(text: str) -> int | None:
    """Return *text* as a count, or None: vLLM writes ``None`` for what it does not know yet."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(COUNT_MAX))):
        return None
    return int(text)
