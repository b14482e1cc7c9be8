"""Time zones: how far a place's clocks are from UTC at an instant.

Offsets such as `+05:30` and `UTC` are known by themselves. Names are looked up by whatever
the caller passes; `tzdata_zones` reads them from the `tzdata` package, which is plain data.
"""

import functools
import re
import struct
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from headrace.dsl.cel.calendar import DAY_S, date_of, days_of
from headrace.dsl.cel.values import NANOS, Fault, Timestamp

Zones = Callable[[str, int], "int | None"]
"""From a zone's name and a Unix time to seconds east of UTC; None for a name it does not know."""

_OFFSET = re.compile(r"([+-]?)(\d\d?):([0-5]\d)", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_RULE = re.compile(
    r"(?:<[^>]+>|[A-Za-z]+)([+-]?[\d:]+)"
    r"(?:(?:<[^>]+>|[A-Za-z]+)([+-]?[\d:]+)?,([^,]+),([^,]+))?"
)


def shifted(zones: Zones, at: Timestamp, zone: str) -> Timestamp:
    """Return *at* as the clocks of *zone* show it, to take its parts from."""
    found = _OFFSET.fullmatch(zone)
    if found is not None:
        sign, hours, minutes = found.groups()
        if int(hours) > 23:
            raise Fault("range", "unknown time zone")
        east = int(hours) * 3600 + int(minutes) * 60
        return Timestamp(at.nanos + (-east if sign == "-" else east) * NANOS)
    if zone in ("UTC", "Z", ""):
        return at
    known = zones(zone, at.nanos // NANOS)
    if known is None:
        raise Fault("range", "unknown time zone")
    return Timestamp(at.nanos + known * NANOS)


def no_zones(name: str, unix_s: int) -> int | None:
    """Know no zone by name."""
    del name, unix_s
    return None


def tzdata_zones(name: str, unix_s: int) -> int | None:
    """Return the offset of the IANA zone *name* by the `tzdata` package."""
    table = _table(name) if len(name) <= 64 and _NAME.fullmatch(name) else None
    return None if table is None else table.at(unix_s)


@dataclass(frozen=True, slots=True)
class Change:
    """When clocks change every year: the *week*th *weekday* of *month*, 5 being the last.

    at_s  seconds after midnight, by the clocks before the change
    """

    month: int
    week: int
    weekday: int
    at_s: int

    def of(self, year: int) -> int:
        """Return the change in *year*, as seconds since 1970 by the clocks before it."""
        first = days_of(year, self.month, 1)
        day = first + (self.weekday - (first + 4)) % 7 + 7 * (self.week - 1)
        following = days_of(year + self.month // 12, self.month % 12 + 1, 1)
        return (day if day < following else day - 7) * DAY_S + self.at_s


@dataclass(frozen=True, slots=True)
class Table:
    """One zone: the changes on record, and the rule that holds after them."""

    times: tuple[int, ...]
    offsets: tuple[int, ...]  # before the first change, and after each
    standard: int
    summer: int
    changes: tuple[Change, Change] | None

    def at(self, unix_s: int) -> int:
        """Return the offset at that Unix time."""
        place = bisect_right(self.times, unix_s)
        if self.changes is None or place < len(self.times):
            return self.offsets[place]
        year = date_of((unix_s + self.standard) // DAY_S)[0]
        begin = self.changes[0].of(year) - self.standard
        end = self.changes[1].of(year) - self.summer
        if begin < end:
            return self.summer if begin <= unix_s < end else self.standard
        return self.standard if end <= unix_s < begin else self.summer


@functools.lru_cache(maxsize=64)
def _table(name: str) -> Table | None:
    try:
        data = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    except (OSError, ModuleNotFoundError):
        return None
    return parsed(data) if data.startswith(b"TZif") else None


def parsed(data: bytes) -> Table:
    """Return the zone in a TZif file of version 2 or later. Source: RFC 8536."""
    counts = struct.unpack(">6l", data[20:44])
    start = 44 + _length(counts, 4)
    isutc, isstd, leap, times, types, names = struct.unpack(">6l", data[start + 20 : start + 44])
    at = start + 44
    when = struct.unpack(f">{times}q", data[at : at + 8 * times])
    kinds = data[at + 8 * times : at + 9 * times]
    records = at + 9 * times
    offsets = [
        struct.unpack(">l", data[records + 6 * i : records + 6 * i + 4])[0] for i in range(types)
    ]
    end = start + 44 + _length((isutc, isstd, leap, times, types, names), 8)
    footer = data[end:].strip(b"\n").decode("ascii")
    return _with_rule(when, (offsets[0], *(offsets[kind] for kind in kinds)), footer)


def _length(counts: tuple[int, ...], width: int) -> int:
    isutc, isstd, leap, times, types, names = counts
    return times * (width + 1) + types * 6 + names + leap * (width + 4) + isstd + isutc


def _with_rule(times: tuple[int, ...], offsets: tuple[int, ...], rule: str) -> Table:
    found = _RULE.fullmatch(rule)
    if found is None:
        return Table(times, offsets, offsets[-1], offsets[-1], None)
    standard = -_clock(found[1])
    if found[3] is None:
        return Table(times, (*offsets[:-1], standard), standard, standard, None)
    summer = -_clock(found[2]) if found[2] else standard + 3600
    first, second = _change(found[3]), _change(found[4])
    changes = (first, second) if first and second else None
    return Table(times, offsets, standard, summer, changes)


def _clock(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    return sign * sum(part * scale for part, scale in zip(parts, (3600, 60, 1), strict=False))


def _change(text: str) -> Change | None:
    day, _, clock = text.partition("/")
    if not day.startswith("M"):
        return None  # by day of the year: no zone of today does that
    month, week, weekday = (int(part) for part in day[1:].split("."))
    return Change(month, week, weekday, _clock(clock) if clock else 7200)
