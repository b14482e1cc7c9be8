"""Durations as people write them: `30s`, `500ms`, `2m`, `1h`."""

import re

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|m|h|)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


class DurationError(ValueError):
    """A text that should be a duration is not. The message says the cure."""


def parse_duration(text: str) -> float:
    """Return the seconds that *text* means; a bare number is seconds.

    Raises:
        DurationError: it means none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise DurationError(f"`{text}` is not a duration: write e.g. `30s` or `2m`")
    return float(found[1]) * _UNITS[found[2]]
