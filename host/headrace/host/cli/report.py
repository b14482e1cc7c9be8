"""How findings are printed: for people, for editors, for machines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from importlib.metadata import version

import msgspec

from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic, as_json, render
from headrace.dsl.problems.snippet import Paint, plain, printable
from headrace.host.cli.sarif import sarif


class Format(Enum):
    """How findings are printed."""

    HUMAN = "human"
    PLAIN = "plain"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in the files *names*, and how many findings more than are here."""

    findings: tuple[Diagnostic, ...]
    names: tuple[str, ...]
    more: int = 0

    def count(self, level: Level) -> int:
        """Return how many findings of *level* there are."""
        return sum(d.level is level for d in self.findings)

    def at_most(self, findings_max: int) -> "Report":
        """Return the report with the first *findings_max* findings, errors before warnings."""
        if len(self.findings) <= findings_max:
            return self
        ranked = sorted(self.findings, key=lambda d: d.level is not Level.ERROR)
        kept = set(map(id, ranked[:findings_max]))
        shown = tuple(d for d in self.findings if id(d) in kept)
        return replace(self, findings=shown, more=len(self.findings) - findings_max)

    def denying(self, denied: Sequence[str]) -> "Report":
        """Return the report with the warnings *denied* as errors: of these codes, or all."""
        return replace(self, findings=tuple(_denied(d, denied) for d in self.findings))


def told(report: Report, format_: Format, paint: Paint = plain) -> str:
    """Return *report* as it is printed in *format_*, without a last line end."""
    tellers: Mapping[Format, Callable[[Report], str]] = {
        Format.HUMAN: lambda r: _human(r, paint),
        Format.PLAIN: _plain,
        Format.JSON: _json,
        Format.SARIF: lambda r: _indented(sarif(r.findings, version("headrace"))),
        Format.GITHUB: _github,
    }
    return tellers[format_](report)


def _denied(diagnostic: Diagnostic, denied: Sequence[str]) -> Diagnostic:
    all_warnings = "warnings" in denied and diagnostic.level is Level.WARNING
    if diagnostic.code in denied or all_warnings:
        return replace(diagnostic, level=Level.ERROR)
    return diagnostic


def _human(report: Report, paint: Paint) -> str:
    names = printable(", ".join(report.names))
    if not report.findings:
        return f"{names}: clean"
    shown = [render(d, paint) for d in report.findings]
    return "\n".join([*shown, f"{_counts(report)} in {names}"])


def _counts(report: Report) -> str:
    named = [(report.count(level), level.value) for level in Level]
    counts = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in named if n]
    return ", ".join([*counts, *([f"{report.more} more not shown"] if report.more else [])])


def _plain(report: Report) -> str:
    """One line of ASCII each: what editors and grep read."""
    if not report.findings:
        return f"{', '.join(report.names)}: clean"
    lines = [_line(d) for d in report.findings]
    return "\n".join([*lines, f"{_counts(report)} in {', '.join(report.names)}"])


def _line(diagnostic: Diagnostic) -> str:
    line, column = diagnostic.span.source.line_column(diagnostic.span.start)
    where = f"{diagnostic.span.source.name}:{line}:{column}"
    text = f"{diagnostic.level.value}[{diagnostic.code}]: {_sentence(diagnostic)}"
    return printable(f"{where}: {text}").encode("ascii", "backslashreplace").decode()


def _sentence(diagnostic: Diagnostic) -> str:
    label = " ".join(diagnostic.label.split("\n"))
    return "; ".join(part for part in (diagnostic.message, label, diagnostic.help) if part)


def _json(report: Report) -> str:
    return _indented(
        {
            "clean": not report.findings,
            "errors": report.count(Level.ERROR),
            "warnings": report.count(Level.WARNING),
            "notes": report.count(Level.NOTE),
            "more": report.more,
            "findings": [as_json(d) for d in report.findings],
        }
    )


def _indented(content: object) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def _github(report: Report) -> str:
    """Return workflow commands, which GitHub shows beside the changed lines."""
    return "\n".join([*(_command(d) for d in report.findings), *_rest(report)])


def _rest(report: Report) -> list[str]:
    return [f"::notice::{report.more} more findings"] if report.more else []


def _command(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    line, column = span.source.line_column(span.start)
    end_line, end_column = span.source.line_column(span.end)
    fields = {"file": span.source.name, "line": line, "endLine": end_line}
    if end_line == line:  # GitHub takes columns of one line only
        fields |= {"col": column, "endColumn": max(column, end_column - 1)}
    fields["title"] = f"{diagnostic.code} {diagnostic.message}"
    text = "\n".join(p for p in (diagnostic.label, diagnostic.help) if p) or diagnostic.message
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in fields.items())
    level = "notice" if diagnostic.level is Level.NOTE else diagnostic.level.value
    return f"::{level} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
