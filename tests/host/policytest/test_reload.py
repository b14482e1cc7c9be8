"""A policy that changes has to keep its own promises before it serves."""

from pathlib import Path

from headrace.host.policytest.selftest import self_test
from tests.host.serve.house import house, policy, run, swap_in

GOOD = 'test "t" { when request { "model": "chatbot" } expect decision.pool == "gemma" }\n'
BAD = 'test "t" { when request { "model": "chatbot" } expect decision.shed }\n'
NOBODY = "127.0.0.1:9"


def test_a_change_that_fails_its_own_test_is_refused_and_a_good_one_is_taken(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, [NOBODY]) + GOOD)
        async with house([path], self_test=self_test) as running:
            swap_in(path, policy(2, [NOBODY]) + BAD)
            problems = await running.refused()
            assert problems[0].startswith("error: the policy fails its own test\nFAILED t")
            assert running.number == 1

            swap_in(path, policy(3, [NOBODY]) + GOOD)
            await running.reach(2)
            assert running.sample("headrace_policy_valid") == 1

    run(main)
