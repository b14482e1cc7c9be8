"""Findings in every format: what a reader or a program relies on."""

import io
import re
from pathlib import Path

import msgspec
import pytest

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Applicability, Diagnostic, Fix, Related
from headrace.dsl.source import Source, Span
from headrace.host.cli.colours import paint_for
from headrace.host.cli.report import Format, Report, told
from tests.golden import split

CASES = sorted((Path(__file__).parents[2] / "dsl" / "errors").glob("*.txt"))
SOURCE = Source("dir/odd, name:%1.sched", "sched 1\nfirst 100%\nthird\n")
ODD = Diagnostic(
    "S207",
    Level.ERROR,
    "50% of `first`, twice: why\r",
    Span(SOURCE, 8, 13),
    "one\ntwo",
    "do: this, that",
    (Related(Span(SOURCE, 19, 24), "other"),),
    Fix(Span(SOURCE, 8, 13), "1st", Applicability.SAFE),
    Span(SOURCE, 8, 24),
)


class Terminal(io.StringIO):
    """A screen that a person sees."""

    def isatty(self) -> bool:
        return True


def report(*found: Diagnostic) -> Report:
    return Report(found, ("a.sched",))


def test_github_gets_one_escaped_command_per_finding() -> None:
    assert told(report(ODD), Format.GITHUB) == (
        "::error file=dir/odd%2C name%3A%251.sched,line=2,endLine=2,col=1,endColumn=5,"
        "title=S207 50%25 of `first`%2C twice%3A why%0D::one%0Atwo%0Ado: this, that"
    )
    assert told(report(), Format.GITHUB) == ""


def test_plain_is_one_line_of_ascii_per_finding() -> None:
    odd = Diagnostic("S321", Level.WARNING, "ünïcode → here", Span(SOURCE, 0, 5))
    first, second, summary = told(report(odd, ODD), Format.PLAIN).splitlines()

    assert first == (r"dir/odd, name:%1.sched:1:1: warning[S321]: \xfcn\xefcode \u2192 here")
    assert second.isascii()
    assert summary == "1 error, 1 warning in a.sched"


def test_json_has_counts_and_every_place() -> None:
    data = msgspec.json.decode(told(report(ODD), Format.JSON))
    (finding,) = data["findings"]

    assert {k: v for k, v in data.items() if k != "findings"} == {
        "clean": False, "errors": 1, "warnings": 0, "notes": 0, "more": 0,
    }  # fmt: skip
    assert finding["fix"]["edit"] == "1st"
    assert (finding["line"], finding["column"], finding["end_column"]) == (2, 1, 6)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_sarif_is_as_its_standard_wants_it(path: Path) -> None:
    found = check_policy([Source(path.name, split(path)[0])], today="2026-11-22")
    log = msgspec.json.decode(told(Report(found, (path.name,)), Format.SARIF))

    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "headrace"
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(run["results"]) == len(found)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            check_place(location["physicalLocation"])
        for fix in result.get("fixes", []):
            (change,) = fix["artifactChanges"]
            check_place({**change, "region": change["replacements"][0]["deletedRegion"]})


def check_place(place: dict[str, dict[str, object]]) -> None:
    """Assert what the schema says of a physicalLocation."""
    uri, region = place["artifactLocation"]["uri"], place["region"]
    start = (region["startLine"], region["startColumn"])
    end = (region["endLine"], region["endColumn"])

    assert isinstance(uri, str)
    assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri), "a URI reference without a scheme"
    assert start >= (1, 1)
    assert end >= start


def test_denied_warnings_are_errors() -> None:
    warning = Diagnostic("S311", Level.WARNING, "always", Span(SOURCE, 0, 5))

    assert report(warning).count(Level.ERROR) == 0
    assert report(warning).denying(["warnings"]).count(Level.ERROR) == 1
    assert report(warning).denying(["S311"]).count(Level.ERROR) == 1
    assert report(warning).denying(["S307"]).count(Level.ERROR) == 0


def test_what_is_not_shown_is_counted_and_errors_are_shown_first() -> None:
    warning = Diagnostic("S311", Level.WARNING, "always", Span(SOURCE, 0, 5))
    cut = report(warning, ODD, warning).at_most(1)

    assert (cut.findings, cut.more) == ((ODD,), 2)
    assert told(cut, Format.HUMAN).endswith("1 error, 2 more not shown in a.sched")
    assert told(cut, Format.GITHUB).endswith("::notice::2 more findings")
    assert msgspec.json.decode(told(cut, Format.JSON))["more"] == 2


def test_colours_are_for_terminals_and_not_under_no_color() -> None:
    plain = told(report(ODD), Format.HUMAN)
    coloured = told(report(ODD), Format.HUMAN, paint_for(Terminal(), {}))

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    for screen, environment in (
        (io.StringIO(), {}),
        (Terminal(), {"NO_COLOR": "1"}),
        (Terminal(), {"TERM": "dumb"}),
    ):
        assert told(report(ODD), Format.HUMAN, paint_for(screen, environment)) == plain
