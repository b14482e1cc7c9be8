"""Makes a dialect of a TOML file, or says everything that is wrong with it, and where."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from headrace.dsl.dialects import lines
from headrace.dsl.dialects.dialect import (
    METRICS_PATH,
    MODELS_PATH,
    AdapterInfo,
    Combine,
    Dialect,
    Metric,
    Places,
    Unit,
)
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.source import Source, Span

CODE = "S229"
FILE_CHARS_MAX = 64 * 1024
PLACES_MAX = 8  # where one value may stand
LABELS_MAX = 8
EXPORTS_MAX = 2000
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")
_PATH = re.compile(r"/[!-~]{0,199}")
_MEAN, _MAX = Combine.MEAN, Combine.MAX
# Section -> the field it fills, the units it may have, and how its series are combined.
_VALUES: Mapping[str, tuple[str, tuple[Unit, ...], Combine]] = {
    "queue": ("waiting", (Unit.COUNT,), Combine.SUM),
    "running": ("running", (Unit.COUNT,), Combine.SUM),
    "kv_cache": ("kv_cache", (Unit.RATIO, Unit.PERCENT), _MEAN),
    "gpu": ("gpu", (Unit.RATIO, Unit.PERCENT), _MEAN),
    "block_size": ("block_size", (Unit.TOKENS,), _MAX),
    "num_blocks": ("num_blocks", (Unit.COUNT,), Combine.SUM),
    "started": ("started", (Unit.SECONDS,), _MAX),
    "progress": ("progress", (Unit.COUNT, Unit.TOKENS), Combine.SUM),
}
_TOP = ("extends", "path", "port", "gzip", "models", "prefix", "exports")
_SECTION = ("metric", "where", "label", "unit", "combine", "range")
_ADAPTERS = ("metric", "running", "waiting", "max")
Table = Mapping[str, Any]  # Any: what TOML holds is of any type until it is looked at


def read(name: str, source: Source, problems: Problems, base: Dialect | None) -> Dialect | None:
    """Return the dialect *name* that *source* describes, or None after adding what is wrong.

    base  what the file `extends`; see `extends`
    """
    table = parsed(source, problems)
    if table is None:
        return None
    before = len(problems.found)
    reader = _Reader(source, problems)
    made = reader.dialect(name, table, base or Dialect(name))
    if not (made.waiting or made.running or made.gpu or len(problems.found) > before):
        message = "this file says neither where the queue nor where the running requests stand"
        reader.refuse(Span(source, 0, 0), message, 'add `[queue]` with `metric = "..."`')
    return None if len(problems.found) > before else made


def parsed(source: Source, problems: Problems) -> Table | None:
    """Return what *source* holds as TOML, or None after adding why it is none."""
    if len(source.text) > FILE_CHARS_MAX:
        message = f"a dialect has at most {FILE_CHARS_MAX // 1024} KiB of text"
        problems.add(CODE, Span(source, 0, 0), message, "", "leave `exports` out")
        return None
    try:
        return tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what, span = lines.at_decode(source, str(error))
        help_ = "a dialect is a TOML file, as the built-in ones are"
        problems.add(CODE, span, f"this is not TOML: {what[:1].lower()}{what[1:]}", "here", help_)
        return None


def extends(table: Table) -> str:
    """Return the dialect that *table* builds on; empty if it says none."""
    said = table.get("extends", "")
    return said if isinstance(said, str) else ""


def key_span(source: Source, key: str) -> Span:
    """Return where *key* stands at the top of *source*."""
    return lines.at_key(source, key)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a section stands: the *nth* of its name."""

    section: str
    nth: int = 0


@dataclass(frozen=True, slots=True)
class _Reader:
    source: Source
    problems: Problems

    def refuse(self, span: Span, message: str, help_: str) -> None:
        """Add one problem."""
        self.problems.add(CODE, span, message, "here", help_)

    def dialect(self, name: str, table: Table, base: Dialect) -> Dialect:
        """Return *base* with what *table* says instead."""
        known = (*_TOP, *_VALUES, "adapters")
        for key in table.keys() - {*known}:
            span = lines.at_table(self.source, key)
            self.refuse(span, f"a dialect has no `{key}`", did_you_mean(key, known, "it has"))
        changes: dict[str, Any] = {"name": name}
        for section, (field, _, _) in _VALUES.items():
            if section in table:
                changes[field] = self._places(section, table[section])
        if "adapters" in table:
            changes["adapters"] = self._adapters(table["adapters"])
        return replace(base, **changes, **self._top(table))

    def _top(self, table: Table) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, usual in (("path", METRICS_PATH), ("models", MODELS_PATH)):
            said = table.get(key)
            if said is not None:
                found[key] = said
                empty = said == "" and key == "models"
                if not (isinstance(said, str) and (empty or _PATH.fullmatch(said))):
                    help_ = f'write for example `{key} = "{usual}"`'
                    self.refuse(self._key(key), f"`{key}` is the path of a page", help_)
        port = table.get("port")
        if port is not None:
            found["port"] = port
            if type(port) is not int or not 1 <= port <= 65535:
                self.refuse(self._key("port"), "`port` is a number from 1 to 65535", "")
        if "gzip" in table:
            found["gzip"] = table["gzip"]
            if type(table["gzip"]) is not bool:
                self.refuse(self._key("gzip"), "`gzip` is `true` or `false`", "")
        return found | self._exports(table)

    def _exports(self, table: Table) -> dict[str, Any]:
        found: dict[str, Any] = {}
        prefix = table.get("prefix")
        if prefix is not None:
            found["prefix"] = prefix
            if not (isinstance(prefix, str) and _NAME.fullmatch(prefix)):
                help_ = 'for example `prefix = "vllm:"`'
                self.refuse(self._key("prefix"), "`prefix` is the beginning of names", help_)
        said = table.get("exports")
        if said is not None:
            names = cast(list[object], said) if isinstance(said, list) else [None]
            texts = [n for n in names if isinstance(n, str) and _NAME.fullmatch(n)]
            if len(texts) < len(names) or len(names) > EXPORTS_MAX:
                message = f"`exports` is a list of at most {EXPORTS_MAX} names of metrics"
                self.refuse(self._key("exports"), message, "leave it out if you do not know them")
            found["exports"] = frozenset(texts)
        return found

    def _key(self, key: str, at: _Place | None = None) -> Span:
        return (
            lines.at_key(self.source, key, at.section, at.nth)
            if at
            else (lines.at_key(self.source, key))
        )

    def _places(self, section: str, said: object) -> Places:
        several = cast(list[object], said) if isinstance(said, list) else [said]
        if len(several) > PLACES_MAX:
            span = lines.at_table(self.source, section, PLACES_MAX)
            self.refuse(span, f"`[[{section}]]` stands at most {PLACES_MAX} times", "remove it")
        found = [self._metric(_Place(section, i), each) for i, each in enumerate(several)]
        return tuple(metric for metric in found[:PLACES_MAX] if metric is not None)

    def _table(self, at: _Place, said: object, known: tuple[str, ...]) -> Table | None:
        """Return the section *said* if it is one and names its metric."""
        span = lines.at_table(self.source, at.section, at.nth)
        if not isinstance(said, dict):
            help_ = f'write `[{at.section}]` and below it `metric = "..."`'
            self.refuse(span, f"`{at.section}` is a section", help_)
            return None
        table = cast(Table, said)
        for key in table.keys() - {*known}:
            help_ = did_you_mean(key, known, "it has")
            self.refuse(self._key(key, at), f"`[{at.section}]` has no `{key}`", help_)
        name = table.get("metric")
        if name is None:
            self.refuse(span, f"`[{at.section}]` names no metric", 'add `metric = "..."`')
            return None
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            help_ = "letters, digits, `_` and `:`; labels go into `where`"
            self.refuse(self._key("metric", at), "this is not the name of a metric", help_)
            return None
        return table

    def _metric(self, at: _Place, said: object) -> Metric | None:
        table = self._table(at, said, _SECTION)
        if table is None:
            return None
        _, units, combine = _VALUES[at.section]
        unit = self._word(at, table, "unit", [u.value for u in units])
        combined = self._word(at, table, "combine", [c.value for c in Combine])
        lowest, highest = self._range(at, table)
        return Metric(
            str(table["metric"]).encode(),
            Unit(unit) if unit else units[0],
            Combine(combined) if combined else combine,
            self._where(at, table),
            self._label(at, table, "label"),
            lowest,
            highest,
        )

    def _word(self, at: _Place, table: Table, key: str, words: list[str]) -> str:
        said = table.get(key)
        if said is None or said in words:
            return said or ""
        help_ = did_you_mean(str(said), words, "possible") if len(words) > 1 else "leave it out"
        message = f"`{key}` of `[{at.section}]` is {' or '.join(f'`{w}`' for w in words)}"
        self.refuse(self._key(key, at), message, help_)
        return ""

    def _range(self, at: _Place, table: Table) -> tuple[float | None, float | None]:
        said = table.get("range")
        if said is None:
            return None, None
        ends = (
            [e for e in cast(list[object], said) if type(e) in (int, float)]
            if (isinstance(said, list))
            else []
        )
        low, high = cast(list[float], ends) if len(ends) == 2 else (0.0, 0.0)
        if not low < high:
            help_ = "for example `range = [0, 100]`"
            self.refuse(self._key("range", at), "`range` is the lowest and the highest", help_)
            return None, None
        return float(low), float(high)

    def _where(self, at: _Place, table: Table) -> tuple[tuple[str, str], ...]:
        said = table.get("where", {})
        pairs = cast(Table, said) if isinstance(said, dict) else {"": None}
        good = all(_LABEL.fullmatch(k) and isinstance(v, str) for k, v in pairs.items())
        if not good or len(pairs) > LABELS_MAX:
            message = f"`where` is at most {LABELS_MAX} labels with their values"
            help_ = 'for example `where = { request_type = "waiting" }`'
            self.refuse(self._key("where", at), message, help_)
            return ()
        return tuple(sorted(cast(Mapping[str, str], pairs).items()))

    def _label(self, at: _Place, table: Table, key: str) -> str:
        said = table.get(key)
        if said is None:
            return ""
        if isinstance(said, str) and _LABEL.fullmatch(said):
            return said
        self.refuse(self._key(key, at), f"`{key}` is the name of a label", "letters, digits, `_`")
        return ""

    def _adapters(self, said: object) -> AdapterInfo | None:
        at = _Place("adapters")
        table = self._table(at, said, _ADAPTERS)
        if table is None:
            return None
        if "running" not in table:
            span = lines.at_table(self.source, "adapters")
            help_ = 'add `running = "LABEL"`'
            self.refuse(span, "`[adapters]` names no label with the adapters", help_)
        labels = [self._label(at, table, key) for key in _ADAPTERS[1:]]
        return AdapterInfo(str(table["metric"]).encode(), *labels)
