"""Timestamps and durations: civil dates, their text, and their parts.

Dates are of the proleptic Gregorian calendar, without leap seconds.
Source of the day arithmetic: Howard Hinnant, "chrono-compatible low-level date algorithms".
"""

import re
from dataclasses import dataclass

from headrace.dsl.cel.numbers import instant_of, span_of
from headrace.dsl.cel.values import NANOS, Duration, Fault, Timestamp

DAY_S = 86_400
_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_SPAN = re.compile(r"[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_SPAN_PART = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6,
    "s": NANOS, "m": 60 * NANOS, "h": 3600 * NANOS,
}  # fmt: skip
_SPAN_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class Civil:
    """A date and time of day. Months and days count from 1."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    nanos: int


def days_of(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to that date."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def date_of(days: int) -> tuple[int, int, int]:
    """Return year, month and day of that many days after 1970-01-01."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def civil(at: Timestamp) -> Civil:
    """Return date and time of *at*."""
    seconds, nanos = divmod(at.nanos, NANOS)
    days, rest = divmod(seconds, DAY_S)
    return Civil(*date_of(days), rest // 3600, rest // 60 % 60, rest % 60, nanos)


def timestamp_of_text(text: str) -> Timestamp:
    """Return the instant that RFC 3339 *text* names."""
    found = _RFC_3339.fullmatch(text)
    if found is None:
        raise Fault("range", "a timestamp reads `2009-02-13T23:31:30Z`")
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    if hour > 23 or minute > 59 or second > 59 or not _is_date(year, month, day):
        raise Fault("range", "this date or time does not exist")
    nanos = int((found[7] or "").ljust(9, "0")[:9])
    seconds = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second
    return instant_of((seconds - _offset_of(found[8])) * NANOS + nanos)


def _is_date(year: int, month: int, day: int) -> bool:
    return (
        1 <= month <= 12
        and day >= 1
        and date_of(days_of(year, month, day))
        == (
            year,
            month,
            day,
        )
    )


def _offset_of(zone: str) -> int:
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:])
    if hours > 23 or minutes > 59:
        raise Fault("range", "this offset from UTC does not exist")
    return (-1 if zone[0] == "-" else 1) * (hours * 3600 + minutes * 60)


def timestamp_text(at: Timestamp) -> str:
    """Return *at* by RFC 3339, in UTC, with 0, 3, 6 or 9 digits of a second, as it needs."""
    c = civil(at)
    head = f"{c.year:04}-{c.month:02}-{c.day:02}T{c.hour:02}:{c.minute:02}:{c.second:02}"
    return f"{head}{_fraction(c.nanos)}Z"


def _fraction(nanos: int) -> str:
    if not nanos:
        return ""
    digits = f"{nanos:09}"
    kept = next(n for n in (3, 6, 9) if not digits[n:].strip("0"))
    return f".{digits[:kept]}"


def timestamp_of_int(seconds: int) -> Timestamp:
    """Return the instant *seconds* after 1970 began."""
    return instant_of(seconds * NANOS)


def seconds_of_timestamp(at: Timestamp) -> int:
    """Return the whole seconds since 1970 began."""
    return at.nanos // NANOS


def duration_of_text(text: str) -> Duration:
    """Return the duration that *text* names: `1h30m`, `-1.5s`."""
    if len(text) > _SPAN_CHARS_MAX or _SPAN.fullmatch(text) is None:
        raise Fault("range", "a duration reads `1h30m` or `1.5s`")
    total = 0
    for whole, fraction, unit in _SPAN_PART.findall(text):
        digits = fraction or ""
        total += int(whole or 0) * _UNITS[unit]
        total += int(digits or 0) * _UNITS[unit] // 10 ** len(digits)
    return span_of(-total if text.startswith("-") else total)


def duration_text(value: Duration) -> str:
    """Return *value* in seconds: `5400s`, `-0.500s`."""
    seconds, nanos = divmod(abs(value.nanos), NANOS)
    return f"{'-' if value.nanos < 0 else ''}{seconds}{_fraction(nanos)}s"


def full_year(at: Timestamp) -> int:
    """Return the year."""
    return civil(at).year


def month(at: Timestamp) -> int:
    """Return the month, from 0."""
    return civil(at).month - 1


def day_of_month(at: Timestamp) -> int:
    """Return the day of the month, from 0."""
    return civil(at).day - 1


def date(at: Timestamp) -> int:
    """Return the day of the month, from 1."""
    return civil(at).day


def day_of_week(at: Timestamp) -> int:
    """Return the day of the week, from 0 for Sunday."""
    return (at.nanos // NANOS // DAY_S + 4) % 7


def day_of_year(at: Timestamp) -> int:
    """Return the day of the year, from 0."""
    days = at.nanos // NANOS // DAY_S
    return days - days_of(date_of(days)[0], 1, 1)


def hours(at: Timestamp) -> int:
    """Return the hour of the day."""
    return civil(at).hour


def minutes(at: Timestamp) -> int:
    """Return the minute of the hour."""
    return civil(at).minute


def seconds(at: Timestamp) -> int:
    """Return the second of the minute."""
    return civil(at).second


def milliseconds(at: Timestamp) -> int:
    """Return the millisecond of the second."""
    return civil(at).nanos // 10**6


def duration_hours(value: Duration) -> int:
    """Return the whole hours."""
    return _towards_zero(value.nanos, 3600 * NANOS)


def duration_minutes(value: Duration) -> int:
    """Return the whole minutes."""
    return _towards_zero(value.nanos, 60 * NANOS)


def duration_seconds(value: Duration) -> int:
    """Return the whole seconds."""
    return _towards_zero(value.nanos, NANOS)


def duration_milliseconds(value: Duration) -> int:
    """Return the milliseconds beyond the whole seconds."""
    left = abs(value.nanos) % NANOS // 10**6
    return -left if value.nanos < 0 else left


def _towards_zero(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)
