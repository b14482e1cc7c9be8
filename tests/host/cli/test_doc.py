"""`headrace doc`: the language as it is installed, and a policy's own definitions."""

from pathlib import Path

import msgspec

from headrace.dsl.cel.calls import FUNCTIONS
from headrace.dsl.vocabulary import STAGES, VARIABLES
from tests.host.cli.command import QUICKSTART, headrace


def test_the_language_has_every_block_name_function_and_stage() -> None:
    found = msgspec.json.decode(headrace("doc", "--format", "json").out)

    assert {row["name"] for row in found["names"]} == {v.name for v in VARIABLES}
    assert {row["name"] for row in found["functions"]} >= set(FUNCTIONS)
    assert {row["stage"] for row in found["stages"]} >= STAGES
    assert {"pool", "test", "override"} <= {row["block"] for row in found["blocks"]}
    settings = {(row["of"], row["setting"]): row["allowed"] for row in found["settings"]}
    assert settings["any stage", "on_failure"] == "closed, open, fallback"
    assert settings["plugin prefix-cache-scorer", "block"] == "1 to 4096"


def test_the_language_is_a_page_of_tables() -> None:
    done = headrace("doc")

    assert done.code == 0
    assert done.out.startswith("# The language of headrace ")
    assert "\n| `endpoint.queue` | count | per scrape |" in done.out
    tables = [line for line in done.out.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_a_policy_s_definitions_have_types_and_the_comments_above_them(tmp_path: Path) -> None:
    policy = tmp_path / "p.sched"
    policy.write_text(
        """sched 1
# Where all goes.
# For now one machine.
pool a { endpoints "10.0.0.1:8000" }
model m { route a }

# Not this.

scorer free = 1.0 - endpoint.kv_cache
profile default { score free  pick max ties by endpoint.queue }
"""
    )
    found = msgspec.json.decode(headrace("doc", str(policy), "--format", "json").out)

    assert found["pools"][0]["comment"] == "Where all goes. For now one machine."
    assert found["scorers"] == [
        {
            "name": "free",
            "type": "ratio",
            "says": "1.0 - endpoint.kv_cache",
            "comment": "",
            "where": f"{policy}:9",
        }
    ]
    assert found["guards"] == []


def test_a_policy_is_a_page_without_empty_tables() -> None:
    done = headrace("doc", QUICKSTART)

    assert done.code == 0
    assert "## Pools" in done.out
    assert "## Costs" not in done.out


def test_a_policy_with_an_error_is_usage(tmp_path: Path) -> None:
    policy = tmp_path / "p.sched"
    policy.write_text("sched 1\npool a { }\n")
    done = headrace("doc", str(policy))

    assert done.code == 2
    assert "pool `a` has no endpoints" in done.err
