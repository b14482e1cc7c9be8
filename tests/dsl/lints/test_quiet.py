"""Policies that are meant get no finding, and every finding can be allowed where it is."""

import re
from pathlib import Path

import pytest

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import CODES, Level
from headrace.dsl.problems.page import page
from headrace.dsl.source import Source
from tests.golden import split

ROOT = Path(__file__).parents[3]
POLICIES = sorted(p for p in (ROOT / "policies").glob("*.sched") if "_test" not in p.name)
HEAD = (
    'sched 1\npool gemma { endpoints "10.0.0.1:8000"  gpu from dcgm }\nmodel chat { route gemma }\n'
)
# What an author can allow; those about allowing, and S108 of this host, aside.
LINTS = [c.id for c in CODES if c.level is not Level.ERROR and c.id.startswith("S3")]


def codes(text: str) -> list[str]:
    return [d.code for d in check_policy([Source("t.sched", text)], today="2026-11-22")]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_of_ours_has_nothing_doubtful(path: Path) -> None:
    assert codes(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "class a when request.stream { also priority 1 }\n"
        "class b when request.stream { priority 2 }",
        "class a when request.size > 1MB { priority 1 }\n"
        "class b when request.stream { priority 2 }",
        "filter f = endpoint.queue > 0 && 10 / endpoint.queue > 2\nprofile default { prefer f }",
        "filter f = endpoint.queue == 0 || 10 / endpoint.queue > 2\nprofile default { prefer f }",
        "filter f = has(endpoint.gpu) && endpoint.gpu < 90%\nprofile default { prefer f }",
        "filter f = !(endpoint.ready && endpoint.queue < 5)\nprofile default { prefer f }",
        "overload when pool.queue > 5 && request.priority < 0 { shed when request.stream }",
        "overload when pool.queue > 5 { shed when request.priority < 0 && !request.stream }",
        "overload when pool.queue > 5 {\n"
        "  shed when (request.priority < 0 || request.stream) && !request.stream\n}",
        "overload when pool.queue > 5 { shed when request.priority < -9 }\n"
        "overload when pool.queue > 9 { shed when request.priority < 0 }",
        "overload when pool.queue > 5 { shed when request.priority < -9 }\n"
        "overload when pool.queue > 9 { shed when request.priority >= -9 && request.priority < 0 }",
        "objective batch { priority -1 }\ntrust { objective from request.header('x') == 'mesh' }",
    ],
)
def test_what_is_meant_is_not_doubted(text: str) -> None:
    assert codes(HEAD + text + "\n") == []


@pytest.mark.parametrize("code", LINTS)
def test_every_doubt_can_be_allowed_where_it_is(code: str) -> None:
    found = page(code)
    assert found is not None
    source = Source("t.sched", found.wrong)
    lines = found.wrong.splitlines()
    at = {source.line_column(d.span.start)[0] for d in check_policy([source]) if d.code == code}
    allowed = [
        f"#! allow {code}: it is meant\n{line}" if number in at else line
        for number, line in enumerate(lines, 1)
    ]

    assert code in codes(found.wrong)
    assert not {code, "S113", "S115"} & {*codes("\n".join(allowed) + "\n")}


def test_every_lint_has_a_message_in_a_golden_file() -> None:
    folder = ROOT / "tests" / "dsl" / "errors"
    shown = {
        code
        for path in folder.glob("*.txt")
        for code in re.findall(r"\[(S3\d\d)\]", split(path)[1])
    }

    assert {c.id for c in CODES if c.id.startswith("S3")} <= shown
