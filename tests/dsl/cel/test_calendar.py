"""Dates, durations and zones, held against Python's own."""

import functools
import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.cel import Fault, calendar, convert, zones
from headrace.dsl.cel.values import NANOS, Duration, Timestamp

START = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS = st.integers(-62_135_596_800, 253_402_300_799)
NAMES = [
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "Etc/GMT+5",
]


@given(SECONDS)
def test_dates_are_those_of_the_gregorian_calendar(unix_s: int) -> None:
    at, theirs = Timestamp(unix_s * NANOS), START + timedelta(seconds=unix_s)

    assert (calendar.full_year(at), calendar.month(at) + 1, calendar.date(at)) == (
        theirs.year,
        theirs.month,
        theirs.day,
    )
    assert calendar.day_of_week(at) == theirs.isoweekday() % 7
    assert calendar.day_of_year(at) == theirs.timetuple().tm_yday - 1
    assert (calendar.hours(at), calendar.minutes(at), calendar.seconds(at)) == (
        theirs.hour,
        theirs.minute,
        theirs.second,
    )


@given(SECONDS, st.integers(0, NANOS - 1))
def test_a_timestamp_reads_back_from_its_text(unix_s: int, nanos: int) -> None:
    at = Timestamp(unix_s * NANOS + nanos)

    assert calendar.timestamp_of_text(calendar.timestamp_text(at)) == at


@given(st.integers(-(10**20), 10**20))
def test_a_duration_reads_back_from_its_text(nanos: int) -> None:
    assert calendar.duration_of_text(calendar.duration_text(Duration(nanos))) == Duration(nanos)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_reads_back_from_its_text(value: float) -> None:
    assert convert.double_of_text(convert.text_of_double(value)) == value


@functools.cache
def _packaged(name: str) -> zoneinfo.ZoneInfo:
    """Return the zone of the `tzdata` package: a machine's own database may be of another year."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return zoneinfo.ZoneInfo.from_file(data, name)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(unix_s=st.integers(-2_000_000_000, 10_000_000_000))
def test_a_zone_is_where_the_database_says(name: str, unix_s: int) -> None:
    theirs = (START + timedelta(seconds=unix_s)).astimezone(_packaged(name)).utcoffset()

    assert theirs is not None
    assert zones.tzdata_zones(name, unix_s) == theirs.total_seconds()


@pytest.mark.parametrize("name", ["", "Mars/Base", "../passwd", "Europe", "zone.tab", "a" * 99])
def test_what_is_no_zone_is_not_known(name: str) -> None:
    assert zones.tzdata_zones(name, 0) is None


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01-01T00:60:00Z",
        "2023-01-01T00:00:00",
        "2023-01-01 00:00:00Z",
        "2023-01-01T00:00:00+25:00",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٣-01-01T00:00:00Z",
        "",
    ],
)
def test_what_is_no_timestamp_is_a_fault(text: str) -> None:
    with pytest.raises(Fault):
        calendar.timestamp_of_text(text)


@pytest.mark.parametrize("text", ["", "1", "s", "1d", "1 s", "1s ", "--1s", "1e3s", "1" * 99 + "s"])
def test_what_is_no_duration_is_a_fault(text: str) -> None:
    with pytest.raises(Fault):
        calendar.duration_of_text(text)
