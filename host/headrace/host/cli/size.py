"""Sizes as people write them: `32MiB`, `100 MB`, `65536`."""

import re

_SIZE = re.compile(r"(\d{1,15}) ?(|B|[kKMG]B|[KMG]iB)", re.ASCII)
_UNITS = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}


class SizeError(ValueError):
    """A text that should be a size is not. The message says the cure."""


def parse_size(text: str) -> int:
    """Return the bytes that *text* means.

    Raises:
        SizeError: it means none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise SizeError(f"`{text}` is not a size: write e.g. `32MiB` or `33554432`")
    return int(found[1]) * _UNITS[found[2]]
