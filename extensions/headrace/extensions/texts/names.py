"""Whether the name of a field, or of a role, can be somebody's words."""

import re

NAME_CHARS_MAX = 64
# Who speaks, by the APIs and the templates of the usual models. Some servers take any role, and
# their templates put it into the prompt.
ROLES = frozenset(
    (
        "", "system", "developer", "user", "assistant", "tool", "tools", "function", "model",
        "critic", "context", "documents", "ipython", "observation", "latest_reminder",
    )
)  # fmt: skip
_PLAIN = re.compile(r"[A-Za-z_$@][\w$@.:/-]*", re.ASCII)


def is_plain(name: str) -> bool:
    """Return whether *name* is one that programs give a field, so says nothing by itself."""
    return len(name) <= NAME_CHARS_MAX and _PLAIN.fullmatch(name) is not None
