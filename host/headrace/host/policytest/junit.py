"""What came of the tests as JUnit XML, which build servers show."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from headrace.host.policytest.report import Tally, words_of
from headrace.host.policytest.run import Result
from headrace.host.policytest.suite import SuiteResult
from headrace.host.policytest.words import failure


def junit(tally: Tally) -> str:
    """Return the report: a `testsuite` for each file, a `testcase` for each case."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites{_counts(tally.results, tally.broken, tally.wall_s)}>")
    for suite in tally.suites:
        lines += _suite(suite)
    return "\n".join([*lines, "</testsuites>", ""])


def _suite(suite: SuiteResult) -> list[str]:
    wall_s = sum(result.wall_s for result in suite.results)
    counts = _counts(suite.results, int(bool(suite.problems)), wall_s)
    lines = [f"  <testsuite name={_attribute(suite.name)}{counts}>"]
    if suite.problems:
        lines.append(f'    <testcase name="compiles" classname={_attribute(suite.name)}>')
        lines.append(f"      <error>{_text(chr(10).join(suite.problems))}</error>")
        lines.append("    </testcase>")
    for result in suite.results:
        lines += _case(suite.name, result)
    return [*lines, "  </testsuite>"]


def _case(name: str, result: Result) -> list[str]:
    head = f"    <testcase name={_attribute(result.case.name)} classname={_attribute(name)}"
    head += f' time="{result.wall_s:.6f}"'
    if result.passed:
        return [f"{head}/>"]
    kind = "error" if result.error else "failure"
    told = _text("\n".join(failure(result)))
    message = _attribute(words_of(result))
    return [f"{head}>", f"      <{kind} message={message}>{told}</{kind}>", "    </testcase>"]


def _counts(results: Sequence[Result], broken: int, wall_s: float) -> str:
    errors = sum(bool(result.error) for result in results) + broken
    failures = sum(bool(result.missed) for result in results)
    tests = len(results) + broken
    return f' tests="{tests}" failures="{failures}" errors="{errors}" time="{wall_s:.6f}"'


def _attribute(text: str) -> str:
    return quoteattr(_allowed(text), {"\n": "&#10;"})


def _text(text: str) -> str:
    return escape(_allowed(text))


def _allowed(text: str) -> str:
    """Return *text* without the characters that XML 1.0 has no way to write."""
    return "".join(c if c >= " " or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
