"""A flattened policy is the same policy, each line with its origin."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from headrace.dsl.effective import bindings, flatten, plain, redacted, text
from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Pick, Profile, Program, Rule
from headrace.dsl.source import Source
from headrace.dsl.syntax.reading import Loader
from tests.dsl.opening import declares, loader, whole

POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = sorted(p for p in POLICIES.glob("*.sched") if not p.stem.endswith("_test"))
TWO = {
    "main.sched": """sched 1
import "base.sched"
override pool gemma { stale after 7s }
pool other extends gemma { profile quick }
model chat as c, talk { priority 3  route 50% to gemma, 50% to other }
scorer free = 1.0 -
  endpoint.kv_cache  # half of it
profile quick extends default { score 0.25 * free }
""",
    "base.sched": """sched 1
pool gemma { endpoints "10.0.0.1:8000" }
filter alive = endpoint.ready
""",
}


def flat(source: Source, load: Loader | None = None) -> tuple[str, Program]:
    """Return the flattened text and the program of a policy."""
    program = compile_policy([source], loader=load, declares=declares)
    return text(flatten([source], program, load)), program


def said(value: object) -> object:
    """Return all that a program says but where it says it, each rule with its text."""
    if isinstance(value, Program):
        value = replace(value, digest="", files=(), rules=(), uses=())
    if isinstance(value, Profile) and value.pick is Pick.RANDOM:
        value = replace(value, terms=(), costs=())  # it does not look at them
    if isinstance(value, Rule):
        return value.name.rpartition(".")[2].removeprefix("built_in_"), re.sub(
            r"#.*|\s", "", value.text
        )
    if is_dataclass(value):
        shown = [f.name for f in fields(value) if f.repr]
        return {name: said(getattr(value, name)) for name in shown}
    if isinstance(value, Struct):
        return {name: said(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        pairs = cast(Mapping[object, object], value).items()
        return {repr(key): said(inner) for key, inner in pairs}
    if isinstance(value, (tuple, list)):
        return [said(inner) for inner in cast(Sequence[object], value)]
    return value


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_policy_flattens_to_itself(path: Path) -> None:
    shown, program = flat(Source(path.name, path.read_text()))
    again, same = flat(Source("again.sched", shown))

    assert said(same) == said(program)
    assert [line.partition("#")[0].rstrip() for line in again.splitlines()] == [
        line.partition("#")[0].rstrip() for line in shown.splitlines()
    ]


def test_a_policy_that_has_everything_flattens_to_itself() -> None:
    source, load = whole()
    shown, program = flat(source, load)
    again, same = flat(Source("again.sched", shown))

    assert said(same) == said(program)
    assert "import" not in again
    assert "override" not in again
    assert "extends" not in again


def test_every_line_says_where_it_is_from() -> None:
    shown, _ = flat(Source("main.sched", TWO["main.sched"]), loader(TWO))
    origins = {
        line.partition("  # ")[0].strip(): line.partition("  # ")[2] for line in shown.splitlines()
    }

    assert origins['endpoints "10.0.0.1:8000"'] == "base.sched:2"
    assert origins["pool gemma {"] == "base.sched:2"
    assert origins["pool other {"] == "main.sched:4"
    assert origins["stale after 7s, dead after 35s"] == "main.sched:3"
    assert origins["metrics vllm"] == "default"
    assert origins["model chat as c, talk {"] == "main.sched:5"
    assert origins["scorer free = 1.0 - endpoint.kv_cache"] == "main.sched:6"
    assert origins["score 0.25 * free"] == "main.sched:8"
    assert origins["scorer prefix = endpoint.prefix_match"] == "default"
    assert [line for line in shown.splitlines()[1:] if line.strip("} ") and "#" not in line] == []


def test_a_built_in_rule_whose_name_is_taken_gets_another() -> None:
    shown, program = flat(Source("main.sched", TWO["main.sched"]), loader(TWO))
    _, same = flat(Source("again.sched", shown))

    assert "filter built_in_alive = endpoint.ready" in shown
    assert same.profiles["quick"].require[0].rule.text == program.profiles["default"].require[
        0
    ].rule.text.replace("  ", " ")


WORDS = st.from_regex(r"[a-z]{3,8}", fullmatch=True)


@st.composite
def policies(draw: st.DrawFn) -> str:
    """Make policies of many shapes."""
    pools = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    lines = ["sched 1"]
    for i, name in enumerate(pools):
        extra = draw(
            st.sampled_from(["", "stale after 90ms", "stale after 1h", "adapters up to 3"])
        )
        if i and draw(st.booleans()):
            lines.append(f"pool p-{name} extends p-{pools[0]} {{ {extra} metrics vllm }}")
        else:
            lines.append(f'pool p-{name} {{ endpoints "10.0.{i}.1:80{i}0" {extra} }}')
    rules = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    value = st.sampled_from(["endpoint.kv_cache", "50%", "1.0 / (1.0 + double(endpoint.queue))"])
    lines += [f"scorer s_{name} = {draw(value)}" for name in rules]
    weights = draw(st.lists(st.sampled_from(["", "0.001 * ", "7 * "]), min_size=3, max_size=3))
    terms = " + ".join(f"{w}s_{name}" for w, name in zip(weights, rules, strict=False))
    pick = draw(st.sampled_from(["", "pick max ties by endpoint.queue", "pick weighted of top 2"]))
    lines.append(f"profile q {{ score {terms} {pick} }}")
    if draw(st.booleans()):
        lines.append("profile r extends q { pick random }")
    shed = draw(st.sampled_from(["", "with 503", 'with 503 "a\\"b"', "retry after 5s"]))
    lines.append(f"overload when pool.queue > 3.0 {{ shed when request.priority < 0 {shed} }}")
    also = draw(st.sampled_from(["", "also"]))
    lines.append(f"class k when request.stream {{ {also} profile q }}")
    lines.append(f"model m {{ route p-{pools[0]} }}")
    return "\n".join(lines)


@settings(max_examples=40, deadline=None)
@given(policies())
def test_any_policy_flattens_to_one_that_compiles_to_the_same_program(policy: str) -> None:
    shown, program = flat(Source("t.sched", policy))
    _, same = flat(Source("again.sched", shown))

    assert said(same) == said(program)


def test_what_is_redacted_compiles_and_tells_no_secret() -> None:
    source, load = whole()
    program = compile_policy([source], loader=load, declares=declares)
    shown = text(redacted(flatten([source], program, load)), origins=False)
    compile_policy([Source("shared.sched", shown)], declares=declares)

    for secret in ("127.0.0.1", "AKIA", "mesh", "eu-1", "try again later", "projects/example"):
        assert secret not in shown
    for kept in ('"acme-headrace:Masker"', '"x-tenant"', "weighted of top 3", ":8002"):
        assert kept in shown


def test_equal_texts_are_redacted_alike() -> None:
    policy = """sched 1
        pool a { endpoints "10.0.0.1:8000" }
        model m { route a }
        class x when request.header("h") == "secret" { priority 1 }
        class y when request.header("i") == 'secret' || request.path == "other" { priority 2 }
        """
    source = Source("t.sched", policy)
    shown = text(redacted(flatten([source], compile_policy([source]))), origins=False)

    assert 'request.header("h") == "redacted-2"' in shown
    assert 'request.header("i") == "redacted-2" || request.path == "redacted-3"' in shown


def test_each_rule_says_when_it_is_known_and_why() -> None:
    source, load = whole()
    program = compile_policy([source], loader=load, declares=declares)
    found = {bound.name: (bound.when, bound.why) for bound in bindings(program)}

    assert found["free"] == ("per scrape", "reads `endpoint.kv_cache`")
    assert found["loaded"] == ("per request", "reads `request.adapter`")
    assert found["always"][0] == "after the exchange"
    assert len(bindings(program)) == len(program.rules)


def test_machines_get_the_same_lines() -> None:
    source = Source("main.sched", TWO["main.sched"])
    program = compile_policy([source], loader=loader(TWO))
    found = plain(flatten([source], program, loader(TWO)))
    (chat,) = [block for block in found if block["kind"] == "model"]

    assert chat == {
        "kind": "model",
        "names": ["chat", "c", "talk"],
        "text": "model chat as c, talk",
        "origin": "main.sched:5",
        "statements": [
            {"text": "priority 3", "origin": "main.sched:5"},
            {"text": "route 50% to gemma, 50% to other", "origin": "main.sched:5"},
        ],
    }


def test_a_line_that_an_override_of_the_library_says_is_from_the_override() -> None:
    source = Source(
        "main.sched",
        """sched 1
pool gemma { endpoints "10.0.0.1:8000" }
model chat { route gemma }
override let load_aware_threshold = 64
profile default { score load_aware_scorer  pick max  ties by endpoint.running }
""",
    )
    shown, _ = flat(source)

    assert "let load_aware_threshold: count = 64  # main.sched:4" in re.sub(
        " +", " ", shown
    ).replace("= 64 #", "= 64  #")
