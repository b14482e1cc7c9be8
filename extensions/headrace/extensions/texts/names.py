"""Whether the name of a field can be somebody's words."""

import re

NAME_CHARS_MAX = 64
_PLAIN = re.compile(r"[A-Za-z_$@][\w$@.:/-]*", re.ASCII)


def is_plain(name: str) -> bool:
    """Return whether *name* is one that programs give a field, so says nothing by itself."""
    return len(name) <= NAME_CHARS_MAX and _PLAIN.fullmatch(name) is not None
