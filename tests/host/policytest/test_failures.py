"""What a failed test says, as golden files: a policy, then the words."""

from pathlib import Path

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.host.policytest.selftest import SHOWN_MAX, self_test
from headrace.host.policytest.suite import run_suite, suite_of
from headrace.host.policytest.words import failure
from tests import golden
from tests.host.policytest.house import CHAT, program

GOLDEN = sorted((Path(__file__).parent / "failing").glob("*.txt"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_failure_shows_the_values_and_how_it_was_decided(path: Path) -> None:
    text, _ = golden.split(path)
    compiled = compile_policy([Source("p.sched", text)])
    done = run_suite(suite_of(compiled, ["p.sched"]))

    told = [line for result in done.failed for line in failure(result, 90)]
    golden.check(path, "".join(f"{line}\n" for line in told))
    assert done.failed


def test_a_policy_that_keeps_its_promises_passes_its_self_test() -> None:
    text = f'{CHAT}test "t" {{ when request {{ "model": "chat" }} expect !decision.shed }}'

    assert self_test(program(text)) == []
    assert self_test(program(CHAT)) == []


def test_a_self_test_tells_a_few_failures_and_counts_the_rest() -> None:
    bad = 'test "t%d" { when request { "model": "chat" } expect decision.shed }\n'
    told = self_test(program(CHAT + "".join(bad % i for i in range(SHOWN_MAX + 2))))

    assert len(told) == SHOWN_MAX + 1
    assert told[0].startswith("error: the policy fails its own test\nFAILED t0  [p.sched:4]")
    assert told[-1] == "error: and 2 tests more failed"
