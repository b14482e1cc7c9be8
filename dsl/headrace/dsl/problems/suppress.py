"""Warnings that the author allows: `#! allow S311 until 2026-12-01: canary has no cap`.

Such a comment stands on the line before or at the end of the line; with `in file` it
stands before the first block and is for the whole file. It needs a reason, may have a
last day, and never allows an error. One that is not understood allows nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.dsl.problems.codes import CODES, Level, table
from headrace.dsl.problems.diagnostic import Applicability, Diagnostic, Fix, Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax.blocks import comments, tokens

_ABOUT_ALLOWING = frozenset(("S113", "S114", "S115"))
_PER_FILE_MAX = 200  # whose warnings are that many has another problem
_REACH_CHARS = 4000  # of comments between this one and the line it is for
_FORM = "write `#! allow S311 until 2026-12-01: why it is fine`"
_RULES = ("filter", "scorer", "let", "cost")  # one statement, however many lines it has
_HEADER_ONLY = re.compile(r"\s*(?:sched\s+\d+)?\s*")
_DIRECTIVE = re.compile(r"#!\s*(?P<verb>[\w-]+)(?P<rest>.*)")
_ALLOW = re.compile(
    r"\s+(?P<codes>[^:]*?)(?P<file>\s+in\s+file)?(?:\s+until\s+(?P<until>[^:]*?))?\s*"
    r"(?::\s*(?P<reason>.*))?"
)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one comment allows. *line* counts from 1 and is None for the whole file.

    until  the last day on which it does, as an ISO date; empty for ever
    """

    span: Span
    codes: tuple[str, ...]
    line: int | None
    until: str
    reason: str

    def covers(self, diagnostic: Diagnostic, code: str) -> bool:
        """Return whether *diagnostic* is a warning *code* at the place it is for."""
        span, wide = diagnostic.span, diagnostic.wide
        if diagnostic.code != code or diagnostic.level is Level.ERROR:
            return False
        if span.source is not self.span.source:
            return False
        lines = {span.source.line_column(span.start)[0]}
        if wide is not None and wide.text.startswith(_RULES):
            lines.add(span.source.line_column(wide.start)[0])
        return self.line is None or self.line in lines


def suppress(problems: Problems, sources: Iterable[Source], today: str) -> None:
    """Take the warnings that are allowed out of *problems*, and add what is wrong with allowing.

    *today* is an ISO date; if it is empty nothing expires.
    """
    allowances = [a for source in sources for a in _read(source, problems)]
    if not allowances:
        return
    broken = any(d.level is Level.ERROR for d in problems.found)
    found = problems.placed(problems.found)
    for allowance in allowances:
        expired = bool(today and allowance.until) and allowance.until < today
        for code in allowance.codes:
            covered = [d for d in found if allowance.covers(d, code)]
            if expired:
                _expired(allowance, code, problems, is_used=bool(covered))
            elif covered:
                found = [d for d in found if d not in covered]
            elif not broken:  # an error can keep us from seeing the warning
                _unused(allowance, code, problems)
    added = [d for d in problems.found if d.code in _ABOUT_ALLOWING]
    problems.found = [d for d in found if d.code not in _ABOUT_ALLOWING] + added


def _expired(allowance: Allowance, code: str, problems: Problems, *, is_used: bool) -> None:
    message = f"allowing {code} ended on {allowance.until}"
    help_ = "cure the warning, or give a later day and a reason that still holds"
    if not is_used:
        help_ = "the warning is gone: remove this line"
    problems.add("S114", allowance.span, message, "expired", help_)


def _unused(allowance: Allowance, code: str, problems: Problems) -> None:
    where = "in this file" if allowance.line is None else f"on line {allowance.line}"
    message = f"there is no {code} {where} to allow"
    several = len(allowance.codes) > 1
    help_ = f"take {code} out of it" if several else "remove the comment"
    fix = None if several else Fix(allowance.span, "", Applicability.SAFE)
    problems.add("S115", allowance.span, message, "allows nothing", help_, fix=fix)


def _read(source: Source, problems: Problems) -> Iterator[Allowance]:
    """Yield what the comments of *source* allow; add those that are not understood."""
    if "#!" not in source.text:
        return
    read = 0
    for comment in comments(source.text):
        found = _DIRECTIVE.fullmatch(comment.group().rstrip())
        if found is None:
            continue
        span = Span(source, comment.start(), comment.start() + len(found[0]))
        read += 1
        if read > _PER_FILE_MAX:
            message = f"a file has at most {_PER_FILE_MAX} such comments"
            problems.add("S113", span, message, "allows nothing", "use `in file`")
            return
        allowance = _allowance(span, found, problems)
        if allowance is not None:
            yield allowance


def _allowance(span: Span, found: re.Match[str], problems: Problems) -> Allowance | None:
    parts = _ALLOW.fullmatch(found["rest"]) if found["verb"] == "allow" else None
    codes = re.split(r"\s*,\s*|\s+", parts["codes"].strip()) if parts else []
    if parts is None or not codes[0]:
        message = f"`#! {found['verb']}` is not understood"
        problems.add("S113", span, message, "allows nothing", _FORM)
        return None
    until, reason = (parts["until"] or "").strip(), (parts["reason"] or "").strip()
    wrong = next((w for code in codes if (w := _code_fault(code))), None)
    if wrong is None and until and not _is_date(until):
        wrong = f"`{until}` is not a day", "write it as `2026-12-01`"
    if wrong is None and not reason:
        wrong = f"no reason is given for allowing {', '.join(codes)}", _FORM
    if wrong is None and parts["file"] and not _at_the_top(span):
        wrong = "`in file` stands before the first block", "move it up, or leave `in file` out"
    if wrong is not None:
        problems.add("S113", span, wrong[0], "allows nothing", wrong[1])
        return None
    line = None if parts["file"] else _line(span)
    return Allowance(span, tuple(dict.fromkeys(codes)), line, until, reason)


def _code_fault(code: str) -> tuple[str, str] | None:
    """Return what is wrong with allowing *code* and the cure, or None."""
    known = table().get(code)
    if code in _ABOUT_ALLOWING:
        return f"{code} is about allowing and cannot be allowed itself", "cure it"
    if known is None:
        warnings = [c.id for c in CODES if c.level is not Level.ERROR]
        allowed = ", ".join(w for w in warnings if w not in _ABOUT_ALLOWING)
        return f"there is no code `{code}`", f"the warnings are: {allowed}"
    if known.level is Level.ERROR:
        return f"{code} is an error, and errors cannot be allowed", "cure the error"
    return None


def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    month, day = int(found[2]), int(found[3])
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def _at_the_top(span: Span) -> bool:
    before = "".join(t.group() + " " for t in tokens(span.source.text[: span.start], 0))
    return _HEADER_ONLY.fullmatch(before) is not None


def _line(span: Span) -> int:
    """Return the line that a comment is for: its own, or the next that has more than comments."""
    number, column = span.source.line_column(span.start)
    if span.source.line(number)[: column - 1].strip():
        return number
    near = span.source.text[: span.end + _REACH_CHARS]
    after = next((t for t in tokens(near, span.end) if t.group() != "\n"), None)
    return span.source.line_column(after.start())[0] if after else number
