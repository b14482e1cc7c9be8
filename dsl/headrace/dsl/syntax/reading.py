"""Read the files of a policy: each into its declarations, imports in their place.

This opens no file: a Loader that the caller gives brings what is imported.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from headrace.dsl import library, lints
from headrace.dsl.problems.diagnostic import Applicability, Fix, Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax import blocks, build, misfits
from headrace.dsl.syntax.declarations import Declaration, ImportBlock, Unreadable
from headrace.dsl.syntax.grammar import Misfit, parse

EDITION = 1
CHARS_MAX = 512 * 1024  # of all files of one policy; thirty times the largest we have seen
FILES_MAX = 200
DIALECT_SUFFIX = ".toml"  # of the files that say what servers call their metrics
IMPORT_DEPTH_MAX = 16
_PATH_CHARS_MAX = 200
_DRIVE_OR_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

# The path as it is written and the file it is written in -> that file. A source that was
# read before is recognised by its name.
Loader = Callable[[str, Source], Source]


class ImportFault(Exception):
    """A Loader cannot bring a file. Its text is for the author, *help* says what to do."""

    def __init__(self, message: str, help_: str = "") -> None:
        super().__init__(message)
        self.help = help_


@dataclass(slots=True)
class Reader:
    """Reads all files of one policy. Written while that policy is read.

    sources       every file that was read, in the order in which it was begun
    declarations  of all of them; what is imported stands before what imports it
    """

    problems: Problems
    loader: Loader | None = None
    sources: list[Source] = field(default_factory=list[Source])
    declarations: list[Declaration] = field(default_factory=list[Declaration])
    _chars: int = 0
    _path: list[str] = field(default_factory=list[str])

    def read(self, source: Source) -> None:
        """Read *source* and what it imports, unless it was read before."""
        if source.name in {s.name for s in self.sources}:
            return
        self._chars += len(source.text)
        self.sources.append(source)
        if self._chars > CHARS_MAX:
            message = f"a policy has at most {CHARS_MAX // 1024} KiB of text"
            span = Span(source, 0, 0)
            self.problems.add("S111", span, message, "", "split it into several policies")
            return
        lints.bidirectional(source, self.problems)
        self._path.append(source.name)
        for declaration in read_source(source, self.problems):
            if isinstance(declaration, ImportBlock):
                self._follow(declaration, source)
            else:
                self.declarations.append(declaration)
        self._path.pop()

    def _follow(self, found: ImportBlock, source: Source) -> None:
        """Read what *found* imports, or report why that does not go."""
        span, path = found.path.span, found.path.text
        message, help_ = path_fault(path)
        if message:
            self._refuse(span, message, help_)
            return
        if self.loader is None:
            self._refuse(span, "imports cannot be followed here", "give all files to the command")
            return
        try:
            there = self.loader(path, source)
        except ImportFault as fault:
            self._refuse(span, str(fault), fault.help)
            return
        if there.name in self._path:
            circle = [*self._path[self._path.index(there.name) :], there.name]
            label = " → ".join(circle) if len(circle) < 8 else f"a circle of {len(circle) - 1}"
            message = f"`{there.name}` imports itself"
            self.problems.add("S221", span, message, label, "remove one of these imports")
        elif len(self._path) >= IMPORT_DEPTH_MAX or len(self.sources) >= FILES_MAX:
            message = f"imports go {IMPORT_DEPTH_MAX} files deep and bring {FILES_MAX} at most"
            self._refuse(span, message, "import the file where it is needed, directly")
        else:
            self.read(there)

    def _refuse(self, span: Span, message: str, help_: str) -> None:
        self.problems.add("S225", span, message, "cannot be imported", help_)
        # What the file would have defined is unknown: nothing is missed on its account.
        self.declarations.append(Unreadable("import", frozenset()))


def path_fault(path: str, suffix: str = ".sched", verb: str = "import") -> tuple[str, str]:
    """Return what is wrong with the path that *verb* names and the cure; "" if nothing is."""
    if not path or len(path) > _PATH_CHARS_MAX or not path.isprintable():
        return "this is not the path of a file", f"1 to {_PATH_CHARS_MAX} printable characters"
    if path.startswith(("/", "~")) or "\\" in path or _DRIVE_OR_URL.match(path):
        help_ = f'for example `{verb} "common/pools{suffix}"`'
        return f"`{path}` is not relative to this file's folder", help_
    if ".." in path.split("/"):
        return f"`{path}` leaves the folder of its file", "move the file below that folder"
    if not path.endswith(suffix):
        return f"`{path}` is not a policy file", f"the name of a policy file ends with `{suffix}`"
    return "", ""


def read_source(source: Source, problems: Problems) -> list[Declaration]:
    """Return the declarations of one file; unreadable ones for blocks with syntax errors."""
    found = blocks.split(source)
    problems.blocks += [block.extent for block in found]
    declarations: list[Declaration] = []
    if not found or found[0].keyword != "sched":
        span = found[0].span.inner(0, len(found[0].keyword)) if found else Span(source, 0, 0)
        help_ = f"write `sched {EDITION}` before it"
        message, label = "the first line must be `sched 1`", "the file begins here"
        at = Span(source, span.start, span.start)
        fix = Fix(at, f"sched {EDITION}\n", Applicability.SAFE) if found else None
        problems.add("S104", span, message, label, help_, fix=fix)
    for i, block in enumerate(found):
        if block.keyword == "sched":
            _header(block, problems, first=i == 0)
        elif block.known:
            read_before = len(problems.partial)
            declarations.append(build.read(block, problems))
            if len(problems.partial) > read_before:  # its other part may use anything
                declarations.append(Unreadable(block.keyword, frozenset()))
        else:
            meant = misfits.unknown_block(block, problems)
            if meant is not None:
                declarations.append(replace(build.unreadable(block), keyword=meant))
    return declarations


def _header(block: blocks.Block, problems: Problems, *, first: bool) -> None:
    word = block.span.inner(0, len(block.keyword))
    if not first:
        problems.add("S104", word, "`sched` stands once, in the first line", "", "remove it")
        return
    parsed = parse(block.span.text, "header")
    if isinstance(parsed, Misfit):
        misfits.explain(block, block.span.text, parsed, problems, "header")
        return
    edition = str(parsed.children[0])
    if edition != str(EDITION):
        message = f"edition {edition} of the language is not known here"
        problems.add("S104", word, message, "", f"this program knows `sched {EDITION}`")


def read_sources(sources: Sequence[Source], loader: Loader | None, problems: Problems) -> Reader:
    """Return what was read of *sources*, all that they import, and what they use of the library."""
    reader = Reader(problems, loader)
    for source in sources:
        if not source.name.endswith(DIALECT_SUFFIX):
            reader.read(source)
    reader.declarations[:0] = library.supplied(reader.declarations)
    reader.sources += [s for s in sources if s.name.endswith(DIALECT_SUFFIX)]
    return reader
