"""A policy's own tests, as the condition on which it may serve."""

from headrace.dsl.program import Program
from headrace.host.policytest.suite import Suite, run_suite
from headrace.host.policytest.words import failure

SHOWN_MAX = 5


def self_test(program: Program) -> list[str]:
    """Return what is wrong with *program* by its own `test` blocks: one text for each failure."""
    if not program.tests:
        return []
    done = run_suite(Suite("", program, program.tests))
    failed = done.failed
    told = ["error: the policy fails its own test\n" + "\n".join(failure(r)) for r in failed]
    more = len(failed) - SHOWN_MAX
    return [*told[:SHOWN_MAX], *([f"error: and {more} tests more failed"] if more > 0 else [])]
