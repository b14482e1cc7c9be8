"""What the tests of the runner share."""

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.host.policytest.run import Result, Runner

POOL = 'sched 1\npool gemma { endpoints "10.0.0.7:8000", "10.0.0.8:8000" }\n'
CHAT = f"{POOL}model chat {{ priority 10  route gemma }}\n"


def program(text: str) -> Program:
    """Return the program that *text* compiles to."""
    return compile_policy([Source("p.sched", text)])


def results(text: str) -> list[Result]:
    """Return what comes of all tests of the policy *text*."""
    compiled = program(text)
    runner = Runner(compiled)
    return [runner.case(case) for case in compiled.tests]


def came(text: str) -> list[object]:
    """Return for each test True, or what its first expectation or its error was."""
    return [r.error or (r.missed[0].came if r.missed else True) for r in results(text)]
