"""`headrace test`: does a policy do what its tests say?"""

import itertools
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.host.cli.flags import Mistakes, flag, reason
from headrace.host.cli.policies import compile_sources, opened, read_sources

if TYPE_CHECKING:
    from headrace.host.policytest.coverage import Coverage
    from headrace.host.policytest.report import Tally
    from headrace.host.policytest.run import Result
    from headrace.host.policytest.suite import Suite, SuiteResult

FINDINGS = 1
PROGRESS_MIN = 50  # fewer are done before one has read how many there are
NO_TEST = '`%s` has no test: write `test "..." { when request {...} expect ... }`'


class Format(Enum):
    """How the result is printed."""

    HUMAN = "human"
    JSON = "json"


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="`.sched` and `_test.sched` files, and directories of them; `-` is stdin.",
    ),
]
Together = Annotated[
    bool, flag("--together", "All files make one policy, as with `serve`, instead of one each.")
]
Wanted = Annotated[
    str,
    typer.Option("-k", metavar="TEXT", help="Only the tests whose name has this text in it."),
]
Junit = Annotated[
    Path | None, flag("--junit", "Write the result there, as JUnit XML.", metavar="FILE")
]
Covered = Annotated[bool, flag("--coverage", "Say which rules and branches no test has exercised.")]
CoverageMin = Annotated[
    float,
    flag("--coverage-min", "Fail below so many per cent of them; 0 to 100.", metavar="PERCENT"),
]
Required = Annotated[bool, flag("--require-tests", "Fail where a file or policy has no test.")]


def run_tests(
    paths: Paths,
    wanted: Wanted = "",
    together: Together = False,
    coverage: Covered = False,
    coverage_min: CoverageMin = 0.0,
    require_tests: Required = False,
    junit: Junit = None,
    format: Annotated[Format, flag("--format", "For people or for machines.")] = Format.HUMAN,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="List every test.")] = False,
) -> None:
    """Run the tests of policies: in the real stages, without a network, at a time that stands.

    A failure shows the values of the parts of what was expected, and how the request was
    decided. Exits 0 if all hold, 1 if not, 2 if the command line is wrong.

        headrace test policies
    """
    from headrace.host.policytest.coverage import Coverage
    from headrace.host.policytest.report import as_json, human

    mistakes = Mistakes()
    mistakes.bounded("--coverage-min", coverage_min, 0, 100)
    policies = [list(paths)] if together else [[path] for path in _files(paths, mistakes)]
    mistakes.stop()
    gathered = Coverage() if coverage or coverage_min else None
    tally = _run(policies, wanted, gathered)
    if junit is not None:
        _write(junit, tally)
    if format is Format.JSON:
        typer.echo(as_json(tally))
    else:
        typer.echo("\n".join(human(tally, verbose=verbose)))
    wrong = [*_untested(tally, wanted)] if require_tests else []
    if gathered is not None and 100 * gathered.ratio < coverage_min:
        wrong.append(f"coverage is below {coverage_min:g}%: {100 * gathered.ratio:.1f}%")
    if wanted and not tally.results and not tally.broken:
        wrong.append(f"-k: no test has `{wanted}` in its name")
    for line in wrong:
        typer.echo(f"error: {line}", err=True)
    if wrong or tally.failed or tally.broken:
        raise typer.Exit(FINDINGS)


def _files(paths: Sequence[str], mistakes: Mistakes) -> Iterator[str]:
    """Yield the policy files at *paths*; those of a directory by name."""
    for path in dict.fromkeys(paths):
        yield from opened(path, mistakes, tests=True)


def _run(policies: Sequence[list[str]], wanted: str, coverage: "Coverage | None") -> "Tally":
    from headrace.extensions.registry import builders
    from headrace.host.policytest.report import Tally
    from headrace.host.policytest.suite import SuiteResult, run_suite

    began_s = perf_counter()
    installed = builders()
    loaded = [_load(policy, wanted) for policy in policies]
    count = sum(len(s.cases) for s in loaded if not isinstance(s, SuiteResult))
    done: list[SuiteResult] = []
    with _progress(count) as tick:
        for suite in loaded:
            if isinstance(suite, SuiteResult):
                done.append(suite)
            else:
                done.append(run_suite(suite, coverage, tick, installed))
    return Tally(done, coverage, perf_counter() - began_s)


def _load(paths: Sequence[str], wanted: str) -> "Suite | SuiteResult":
    """Return the suite of the policy at *paths*, or why there is none; exit 2 if unreadable."""
    from headrace.host.policytest.suite import SuiteResult, suite_of

    mistakes = Mistakes()
    sources = read_sources(paths, mistakes)
    mistakes.stop()
    names = [source.name for source in sources]
    program = compile_sources(sources, mistakes)
    if program is None:
        return SuiteResult(", ".join(names), problems=mistakes.texts)
    return suite_of(program, names, wanted)


@contextmanager
def _progress(count: int) -> "Generator[Callable[[Result], None], None, None]":
    """Show on a terminal how far *count* tests are, if they are many."""
    shown = count >= PROGRESS_MIN and sys.stderr.isatty()
    numbers = itertools.count(1)

    def tick(result: "Result") -> None:
        done = next(numbers)
        if shown and (done % 10 == 0 or done == count):
            typer.echo(f"\r{done}/{count}", err=True, nl=False)

    yield tick
    if shown:
        typer.echo("\r\033[K", err=True, nl=False)


def _untested(tally: "Tally", wanted: str) -> Iterator[str]:
    """Yield what to say of every file whose policy no test of this run is about."""
    tested = {name for suite in tally.suites if suite.results for name in suite.files}
    for suite in tally.suites:
        if not suite.problems and not suite.results and not tested & {suite.name} and not wanted:
            yield NO_TEST % suite.name


def _write(path: Path, tally: "Tally") -> None:
    from headrace.host.policytest.junit import junit

    mistakes = Mistakes()
    try:
        path.write_text(junit(tally), encoding="utf-8")
    except OSError as error:
        mistakes.add(f"--junit: cannot write `{path}`: {reason(error)}")
    mistakes.stop()
