"""What the compiler tells a policy author, and how it is printed."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from headrace.dsl.problems.codes import Level, level_of
from headrace.dsl.problems.snippet import Mark, Paint, Role, draw, gutter_width, plain, printable
from headrace.dsl.source import Span

FOUND_MAX = 2000  # kept to choose from; more is a hostile file
SHOWN_MAX = 100  # nobody reads more, and a hostile file must not make more
ROLES = {Level.ERROR: Role.ERROR, Level.WARNING: Role.WARNING, Level.NOTE: Role.OTHER}
_MEANT = re.compile(r"did you mean `([^`]+)`\?")
_ONE_WORD = re.compile(r"[\w.%-]+|\"[^\"\n]*\"")
# What a block lacks cannot be said of one that was not read whole.
_OF_WHOLE_BLOCKS = frozenset(("S216", "S217", "S322", "S332"))


class Applicability(Enum):
    """How sure we are of a fix: a safe one can only be what the author meant."""

    SAFE = "safe"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Fix:
    """Put *replacement* where *span* is. Only safe ones are applied without asking."""

    span: Span
    replacement: str
    applicability: Applicability = Applicability.MAYBE

    @property
    def safe(self) -> bool:
        """Whether it may be applied unasked."""
        return self.applicability is Applicability.SAFE

    @property
    def title(self) -> str:
        """What it does, in words."""
        if not self.replacement.strip():
            return f"remove `{self.span.text.strip()}`"
        if not self.span.text.strip():
            return f"insert `{self.replacement.strip()}`"
        return f"replace `{self.span.text}` with `{self.replacement}`"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that a problem involves, such as the first of two definitions."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, in the author's words and at the author's text.

    code     stable for ever; `headrace.dsl.problems.codes` has one entry per code
    message  what is wrong: one line, lower case, no full stop
    span     the tight place: the shortest text that is wrong
    label    what is wrong with exactly the spanned text; more lines hang below the first
    help     what to do about it; empty if we do not know
    related  other places involved
    fix      an edit that cures it, if one does
    wide     the block that *span* is in
    """

    code: str
    level: Level
    message: str
    span: Span
    label: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    wide: Span | None = None


class PolicyError(Exception):
    """A policy was rejected. Holds every problem found, file by file, in source order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        assert diagnostics
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(render(d) for d in self.diagnostics))


@dataclass(slots=True)
class Problems:
    """Collects diagnostics while one policy is compiled. Written by that compilation only.

    guessed  text that was read as something else to go on after a mistake in it
    partial  blocks of which a part could not be read
    blocks   every block that was read, file by file
    unkept   how many problems there were beyond FOUND_MAX
    """

    found: list[Diagnostic] = field(default_factory=list[Diagnostic])
    guessed: list[Span] = field(default_factory=list[Span])
    partial: list[Span] = field(default_factory=list[Span])
    blocks: list[Span] = field(default_factory=list[Span])
    unkept: int = 0

    def add(
        self,
        code: str,
        span: Span,
        message: str,
        label: str = "",
        help: str = "",
        related: tuple[Related, ...] = (),
        level: Level | None = None,
        fix: Fix | None = None,
    ) -> None:
        """Note one problem; its level is that of its code unless *level* is given.

        A problem that only follows from another one is not noted. A help of the form
        "did you mean `x`?" is a fix as well.
        """
        if self._follows(code, span):
            return
        if len(self.found) >= FOUND_MAX:
            self.unkept += 1
            return
        chosen = level or level_of(code)
        fix = fix or _meant(span, help)
        self.found.append(Diagnostic(code, chosen, message, span, label, help, related, fix))

    def _follows(self, code: str, span: Span) -> bool:
        return any(_overlap(g, span) for g in self.guessed) or (
            code in _OF_WHOLE_BLOCKS and any(_overlap(p, span) for p in self.partial)
        )

    def placed(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Return *diagnostics*, each with the block it is in."""
        by_file = defaultdict[int, list[Span]](list)
        for block in self.blocks:
            by_file[id(block.source)].append(block)
        return [_within(d, by_file[id(d.span.source)]) for d in diagnostics]

    def sorted(self, source_names: Sequence[str]) -> tuple[Diagnostic, ...]:
        """Return what was found, by file and position, at most SHOWN_MAX and a count of the rest.

        Errors come before warnings when not all can be shown.
        """
        order = {name: i for i, name in enumerate(source_names)}
        kept = list(dict.fromkeys(self.found))
        more = max(0, len(kept) - SHOWN_MAX) + self.unkept
        if more:
            kept = sorted(kept, key=lambda d: d.level is not Level.ERROR)[:SHOWN_MAX]
        kept.sort(
            key=lambda d: (order.get(d.span.source.name, -1), d.span.start, d.span.end, d.code)
        )
        if more:
            last, s = kept[-1], "s" if more > 1 else ""
            help_ = "cure what is shown and check again"
            kept.append(
                Diagnostic("S112", last.level, f"{more} more problem{s}", last.span, help=help_)
            )
        return tuple(self.placed(kept))


def _within(diagnostic: Diagnostic, blocks: Sequence[Span]) -> Diagnostic:
    """Return *diagnostic* with that one of *blocks*, first to last, that it is in."""
    at = bisect_right(blocks, diagnostic.span.start, key=lambda b: b.start) - 1
    if diagnostic.wide is not None or at < 0 or diagnostic.span.start >= blocks[at].end:
        return diagnostic
    return replace(diagnostic, wide=blocks[at])


def _overlap(a: Span, b: Span) -> bool:
    return a.source is b.source and a.start < b.end and b.start < a.end


def _meant(span: Span, help_: str) -> Fix | None:
    """Return the fix that a suggestion in words stands for: the spanned word's replacement."""
    found = _MEANT.fullmatch(help_)
    if found is None or not _ONE_WORD.fullmatch(span.text):
        return None
    word, text, start = found[1], span.source.text, span.start
    if "." in word and start and text[start - 1] == ".":
        path = re.search(r"[\w.]*$", text[max(0, start - 200) : start])
        start -= len(path.group()) if path else 0  # `request.x` as a whole is meant
    same = span.text.lower() == word.lower()
    sure = Applicability.SAFE if same else Applicability.MAYBE
    return Fix(Span(span.source, start, span.end), word, sure)


def render(diagnostic: Diagnostic, paint: Paint = plain) -> str:
    """Return the diagnostic as the CLI prints it: each place with a caret line, then the help."""
    role = ROLES[diagnostic.level]
    title = f"{diagnostic.level.value}[{diagnostic.code}]"
    message = paint(Role.MESSAGE, f": {printable(diagnostic.message)}")
    marks = [Mark(diagnostic.span, diagnostic.label, "^", role)]
    marks += [Mark(r.span, r.label, "-", Role.OTHER) for r in diagnostic.related]
    width = gutter_width(mark.span for mark in marks)
    rows = [f"{paint(role, title)}{message}", *draw(marks, diagnostic.wide, width, paint)]
    notes = [f"help: {printable(diagnostic.help)}"] if diagnostic.help else []
    if diagnostic.fix and diagnostic.fix.safe:
        notes.append(f"fix: {printable(diagnostic.fix.title)} (`headrace check --fix` does it)")
    rows += [f"{' ' * width} {paint(Role.HELP, '=')} {note}" for note in notes]
    return "\n".join(rows)


def as_json(diagnostic: Diagnostic) -> dict[str, object]:
    """Return the diagnostic as plain data, for `--format json`. Lines and columns count from 1.

    Fields are only ever added. `fix` is null if no edit is known; its `edit` is to be put
    where its place is.
    """
    fix = diagnostic.fix
    return {
        "code": diagnostic.code,
        "level": diagnostic.level.value,
        "message": diagnostic.message,
        "label": diagnostic.label,
        "help": diagnostic.help,
        **place(diagnostic.span),
        "related": [{"label": r.label, **place(r.span)} for r in diagnostic.related],
        "fix": fix
        and {
            "title": fix.title,
            "applicability": fix.applicability.value,
            "edit": fix.replacement,
            **place(fix.span),
        },
    }


def place(span: Span) -> dict[str, object]:
    """Return where *span* is, for machines: lines and columns count from 1, the end excluded."""
    line, column = span.source.line_column(span.start)
    end_line, end_column = span.source.line_column(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
