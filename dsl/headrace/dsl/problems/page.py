"""The long explanation of each code: what it means, an example that has it, one that has not.

Each is a text in `pages/`: prose, then after `---- wrong` and after `---- right` a policy.
`---- wrong, last line N times` stands for a policy too long to print. A line `=== NAME`
begins another file of the same policy.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from headrace.dsl.problems.codes import Code, Level, table
from headrace.dsl.source import Source

_PARTS = re.compile(
    r"(.*)^---- wrong(?:, last line (\d+) times)?\n(.*)^---- right\n(.*)", re.DOTALL | re.MULTILINE
)
_FILE = re.compile(r"^=== (.+)\n", re.M)


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to know of one code.

    text          what it means and why it is a problem; paragraphs
    wrong, right  a policy that has the problem, and the same one without it
    times         how often the last line of *wrong* stands there
    """

    code: Code
    text: str
    wrong: str
    right: str
    times: int = 1

    @property
    def allowing(self) -> str:
        """How to allow it, if it is a warning that can be allowed."""
        if self.code.level is Level.ERROR or self.code.id in ("S113", "S114", "S115"):
            return ""
        return f"#! allow {self.code.id} until 2026-12-01: the reason why it is fine here"


def page(code_id: str) -> Page | None:
    """Return the page of *code_id*, in any case; None if there is no such code.

    Raises:
        ValueError: the code has no page, or one without its parts.
    """
    code = table().get(code_id.upper())
    if code is None:
        return None
    file = resources.files("headrace.dsl.problems").joinpath("pages", f"{code.id}.txt")
    found = _PARTS.fullmatch(file.read_text(encoding="utf-8")) if file.is_file() else None
    if found is None:
        raise ValueError(f"{code.id} has no page with a `wrong` and a `right` part")
    text, times, wrong, right = found.groups()
    return Page(code, text.strip(), wrong, right, int(times or 1))


def policy_of(example: str, times: int = 1) -> Sequence[Source]:
    """Return the files of an *example* with its last line *times* over."""
    first, *others = _FILE.split(example)
    *lines, last = first.splitlines(keepends=True) or [""]
    named = zip(others[::2], others[1::2], strict=True)
    return [Source("policy.sched", "".join(lines) + last * times), *(Source(*n) for n in named)]
