"""The tests of one policy file, run: what passed, what did not, and what it covered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.dsl.cases import TestCase
from headrace.dsl.program import Program
from headrace.extensions.registry import Builder, builders
from headrace.host.policytest.coverage import Coverage
from headrace.host.policytest.run import Result, Runner

Tick = Callable[[Result], None]


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases to run of one program. *name* is the file's."""

    name: str
    program: Program = field(repr=False)
    cases: Sequence[TestCase]


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """What came of a suite.

    problems  why its policy could not be compiled
    files     of the policy, those it imports included
    """

    name: str
    results: Sequence[Result] = ()
    problems: Sequence[str] = ()
    files: Sequence[str] = ()

    @property
    def failed(self) -> list[Result]:
        """The cases that did not pass."""
        return [result for result in self.results if not result.passed]


def suite_of(program: Program, files: Sequence[str], wanted: str = "") -> Suite:
    """Return the suite of the tests that stand in *files* themselves, not in what they import.

    wanted  only those whose name has it in it, in whatever case
    """
    word = wanted.lower()
    own = [c for c in program.tests if c.span.source.name in files and word in c.name.lower()]
    return Suite(", ".join(files), program, own)


def run_suite(
    suite: Suite,
    coverage: Coverage | None = None,
    tick: Tick | None = None,
    installed: Mapping[str, Builder] | None = None,
) -> SuiteResult:
    """Run every case of *suite*, and tell *tick* of each as it is done."""
    program = suite.program if coverage is None else coverage.watch(suite.program)
    runner = Runner(program, builders() if installed is None else installed)
    results: list[Result] = []
    for case in suite.cases:
        result = runner.case(case)
        if coverage is not None and result.ran is not None:
            coverage.decided(result.ran.outcome, program)
        results.append(result)
        if tick is not None:
            tick(result)
    return SuiteResult(suite.name, results, files=suite.program.files)
