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
from typing import NamedTuple, TypeVar

from headrace.dsl.dialects.dialect import (
    AdapterInfo,
    Combine,
    Dialect,
    Metric,
    Places,
    Unit,
)
from headrace.extensions.picker.snapshot import NO_METRICS, ServerFacts

COUNT_MAX = 2**31 - 1  # as the language bounds counts
TOTAL_MAX = 2.0**63  # of a counter; no server gets there
RATIO_SLACK = 0.01  # a ratio computed in floats may come out a little above 1
LABEL = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"')
SPOT_BYTES = 2048  # how far a metric may move from one page to the next and be found at once
_ENDS_NAME = (b"{", b" ", b"\t")
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


def read_page(
    page: bytes,
    dialect: Dialect,
    asked: Sequence[bytes] = (),
    spots: dict[bytes, int] | None = None,
) -> ServerFacts:
    """Return what *page* tells. What it does not tell, or tells badly, is None and a problem.

    asked  the names of further metrics; what the page lacks of these is absent, and no problem
    spots  where metrics stood on the last page of this server; brought up to date

    Raises:
        PageFault: it has neither a queue nor a running count of this dialect.
    """
    text = Text(page, {} if spots is None else spots)
    waiting = _count(text, dialect.waiting)
    running = _count(text, dialect.running)
    if waiting is None and running is None:
        name = (*dialect.waiting, *dialect.running)[0].name.decode()
        raise PageFault(f"no `{name}` on the page; is this a {dialect.name} server?")
    kv_cache = _ratio(text, dialect.kv_cache)
    gpu = _ratio(text, dialect.gpu)
    adapters = _adapters(text, dialect.adapters)
    wanted = {
        "queue": (waiting, dialect.waiting),
        "running": (running, dialect.running),
        "kv_cache": (kv_cache, dialect.kv_cache),
    }
    return ServerFacts(
        waiting=_known(waiting),
        running=_known(running),
        kv_cache=_known(kv_cache),
        gpu=_known(gpu),
        adapters=adapters.loaded,
        adapters_waiting=adapters.waiting,
        adapters_max=adapters.most,
        block_size=_size(text, dialect.block_size),
        num_blocks=_size(text, dialect.num_blocks),
        started_s=_total(text, dialect.started),
        progress=_total(text, dialect.progress),
        metrics=_sums(text, asked) if asked else NO_METRICS,
        problems=tuple(_problems(wanted)),
    )


def read_gpu(page: bytes, dialect: Dialect) -> float:
    """Return the utilisation, 0..1, that *page* tells.

    Raises:
        PageFault: it tells none, or none that is one.
    """
    value = _ratio(Text(page, {}), dialect.gpu)
    name = dialect.gpu[0].name.decode()
    if value is None:
        raise PageFault(f"no `{name}` on the page; is this {dialect.name}?")
    if isinstance(value, Unknown):
        raise PageFault(f"`{name}`: {value.why}")
    return value


def series(page: bytes, name: bytes) -> list["Series"]:
    """Return the series of the metric *name* on *page*; see `Text.series`."""
    return Text(page, {}).series(name)


class Text:
    """One page, each metric looked for once. *spots*: where to look first, see `read_page`."""

    __slots__ = ("_found", "_page", "_spots")

    def __init__(self, page: bytes, spots: dict[bytes, int]) -> None:
        self._page = page
        self._spots = spots
        self._found: dict[bytes, list[Series]] = {}

    def series(self, name: bytes) -> list[Series]:
        """Return the series of the metric *name*, in the order of the page.

        A broken line has NaN, and so has a last line without an end: the page may have been
        cut in the middle of its number.
        """
        found = self._found.get(name)
        if found is None:
            start = self._start(name)
            found = self._found[name] = [] if start < 0 else list(_from(self._page, name, start))
            if start >= 0:
                self._spots[name] = start
        return found

    def _start(self, name: bytes) -> int:
        """Return where the lines of *name* begin, -1 if there are none.

        From one page to the next they move by a few digits, so most are found without a walk
        through the page.
        """
        page, line, size = self._page, b"\n" + name, len(name)
        spot = self._spots.get(name, -1)
        if spot >= 0:
            at = page.find(line, max(0, spot - SPOT_BYTES), spot + SPOT_BYTES + size) + 1
            if at and page[at + size : at + size + 1] in _ENDS_NAME:
                before = page.rfind(b"\n", 0, at - 1) + 1
                if not page.startswith(name, before):
                    return at
        if page.startswith(name) and page[size : size + 1] in _ENDS_NAME:
            return 0
        at = page.find(line) + 1
        while at and page[at + size : at + size + 1] not in _ENDS_NAME:  # a longer name
            at = page.find(line, at) + 1
        return at or -1


def _from(page: bytes, name: bytes, start: int) -> Iterator[Series]:
    """Yield the series of *name* in the lines from *start* on, which is where they begin."""
    size = len(name)
    while page.startswith(name, start) and page[start + size : start + size + 1] in _ENDS_NAME:
        end = page.find(b"\n", start)
        if end < 0:
            yield Series(b"", math.nan)
            return
        yield _series(page[start + size : end])
        start = end + 1


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


def _sums(page: Text, names: Sequence[bytes]) -> Mapping[str, float]:
    """Return of each of *names* that the page has the sum of its series, whatever their labels.

    One that is not finite is no number to decide by, and left out; so is one with a series
    that is there twice.
    """
    sums: dict[str, float] = {}
    for name in names:
        found = page.series(name)
        total = sum([s.value for s in found])
        if found and math.isfinite(total) and not _has_twins(found):
            sums[name.decode()] = total
    return MappingProxyType(sums)


def _values(page: Text, metric: Metric) -> list[float] | Unknown | None:
    """Return the numbers of the series that *metric* means; None if the page has none."""
    found = page.series(metric.name)
    if metric.where:
        found = [s for s in found if _is_meant(s, metric)]
    if not found:
        return None
    if _has_twins(found):
        return Unknown("the same series is on the page twice")
    if metric.label:
        texts = [labels_of(s.labels).get(metric.label, "") for s in found]
        return [value for value in map(_integer, texts) if value is not None] or None
    return [s.value for s in found]


def _has_twins(found: Sequence[Series]) -> bool:
    return len(found) > 1 and len({s.labels for s in found}) < len(found)


def _is_meant(one: Series, metric: Metric) -> bool:
    labels = labels_of(one.labels)
    return all(labels.get(name) == value for name, value in metric.where)


def _combined(page: Text, places: Places) -> float | Unknown | None:
    """Return the one value that stands at the first of *places* that the page has."""
    for metric in places:
        values = _values(page, metric)
        if values is not None:
            return values if isinstance(values, Unknown) else _of(values, metric)
    return None


def _of(values: list[float], metric: Metric) -> float | Unknown:
    """Return what *values*, at least one, are together."""
    if not all(map(math.isfinite, values)):
        return Unknown("not a finite number")
    lowest, highest = metric.lowest, metric.highest
    for value in values:
        if (lowest is not None and value < lowest) or (highest is not None and value > highest):
            return Unknown(f"{value:g} is outside its range")
    combined = max(values) if metric.combine is Combine.MAX else sum(values)
    if metric.combine is Combine.MEAN:
        combined /= len(values)
    if not math.isfinite(combined):
        return Unknown("too large to be added up")
    return combined / 100 if metric.unit is Unit.PERCENT else float(combined)


def _count(page: Text, places: Places) -> int | Unknown | None:
    value = _combined(page, places)
    if isinstance(value, float) and not 0 <= value <= COUNT_MAX:
        return Unknown(f"{value:g} is no count")
    return int(value) if isinstance(value, float) else value


def _ratio(page: Text, places: Places) -> float | Unknown | None:
    value = _combined(page, places)
    if isinstance(value, float) and not 0 <= value <= 1 + RATIO_SLACK:
        return Unknown(f"{value:g} is no ratio")
    return min(1.0, value) if isinstance(value, float) else value


def _size(page: Text, places: Places) -> int | None:
    """Return a size, above 0, if the page tells one."""
    value = _count(page, places)
    return value if isinstance(value, int) and value > 0 else None


def _total(page: Text, places: Places) -> float | None:
    value = _combined(page, places)
    return value if isinstance(value, float) and 0 <= value <= TOTAL_MAX else None


def _known(value: N | Unknown | None) -> N | None:
    return None if isinstance(value, Unknown) else value


def _problems(wanted: Mapping[str, tuple[float | Unknown | None, Places]]) -> Iterator[str]:
    for name, (value, places) in wanted.items():
        if value is None and places:
            yield f"{name} is missing"
        elif isinstance(value, Unknown):
            yield f"{name}: {value.why}"


class _Adapters(NamedTuple):
    """What a page says of adapters. *most*: how many there may be, if it says so."""

    loaded: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    most: int | None = None


def _adapters(page: Text, info: AdapterInfo | None) -> _Adapters:
    """Return the adapters of the newest series; one that is loaded does not wait."""
    if info is None:
        return _Adapters()
    newest: Series | None = None
    for one in page.series(info.name):
        if newest is None or one.value >= newest.value:
            newest = one
    if newest is None:
        return _Adapters()
    labels = labels_of(newest.labels)
    loaded = _names(labels.get(info.running, ""))
    waiting = _names(labels.get(info.waiting, "") if info.waiting else "")
    waiting = tuple([name for name in waiting if name not in loaded])
    return _Adapters(loaded, waiting, _integer(labels.get(info.adapters_max, "")))


def _names(joined: str) -> tuple[str, ...]:
    """Return the names in a list with commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in joined.split(",") if name.strip()))


def _integer(text: str) -> int | None:
    """Return *text* as a count, or None: vLLM writes ``None`` for what it does not know yet."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(COUNT_MAX))):
        return None
    return int(text)
