"""The differences in what two policies say, in words."""

from pathlib import Path

import pytest

from headrace.dsl.diff import compare
from headrace.dsl.effective import Section, flatten, text
from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from tests.dsl.opening import declares, whole

POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = sorted(p for p in POLICIES.glob("*.sched") if not p.stem.endswith("_test"))
BASE = """sched 1
pool a { endpoints "10.0.0.1:8000" }
pool b { endpoints "10.0.0.2:8000" }
filter up = endpoint.ready
scorer free = 1.0 - endpoint.kv_cache
scorer prefix = endpoint.prefix_match
class x when request.stream { priority 3 }
class y when request.model == "m" { priority -3 }
class z when request.size > 4KB { profile quick }
profile default { require up  score 3 * prefix + free  pick max ties by endpoint.queue }
profile quick { score free }
model m { route 90% to a, 10% to b }
overload for a when pool.queue > 5.0 { shed when request.priority < 0 }
overload for b when pool.queue > 9.0 { shed when request.priority < 0 }
guard g { patterns "x+"  on match log }
trace { sample 10% }
"""


def told(old: str, new: str) -> list[str]:
    """Return the differences as lines."""
    return [change.text for change in compare(flat("old.sched", old), flat("new.sched", new))]


def flat(name: str, policy: str) -> tuple[Section, ...]:
    source = Source(name, policy)
    return flatten([source], compile_policy([source]))


def changed(*edits: tuple[str, str]) -> list[str]:
    """Return how the policy with these texts replaced differs."""
    new = BASE
    for before, after in edits:
        assert before in new
        new = new.replace(before, after)
    return told(BASE, new)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("3 * prefix", "4 * prefix", "weight of `prefix` in profile `default` 3 → 4"),
        (" + free  pick", "  pick", "weight of `free` in profile `default` removed: 1"),
        ("90% to a, 10%", "80% to a, 20%", "share of `a` in model `m` 90% → 80%"),
        ("queue > 5.0", "queue > 6.0", "condition in overload pool.queue > 5.0 → pool.queue > 6.0"),
        ("ties by endpoint.queue", "", "ties in profile `default` removed: endpoint.queue"),
        (
            "90% to a, 10% to b",
            "10% to b, 90% to a",
            "order of route in model `m` `a`, `b` → `b`, `a`",
        ),
        ("require up", "prefer up", "prefer `up` in profile `default` added"),
        ("sample 10%", "sample 20%", "sample in trace 10% → 20%"),
        ('"x+"', '"y+"', 'pattern "y+" in guard `g` added'),
        ("on match log", "", "on match in guard `g` log → block with 400"),
        ("route 90%", "priority 5 route 90%", "priority in model `m` 0 → 5"),
        ('"10.0.0.1:8000"', '"10.0.0.1:8001"', "endpoint `10.0.0.1:8001` in pool `a` added"),
        ("1.0 - endpoint.kv_cache", "50%", "expression in scorer `free` 1.0 - endpoint.kv_cache →"),
        ("guard g", "class w when true { priority 1 } guard g", "class `w` added"),
        ("trace { sample 10% }", "", "trace removed"),
        ("5.0 { shed when", "5.0 { shed any when", "condition of shed 1 in overload when request"),
    ],
)
def test_a_difference_is_one_line(before: str, after: str, line: str) -> None:
    found = changed((before, after))

    assert any(f.startswith(line) for f in found), found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("endpoint.kv_cache", "(endpoint.kv_cache)"),
        ("sched 1\n", "sched 1\n# a comment\n\n"),
        ('"10.0.0.1:8000" }', '"10.0.0.1:8000"  stale after 2000ms }'),
        ("size > 4KB", "size > 4KB  # bytes\n"),
        ("  on match log", "\n  on match\n log"),
        ("route 90% to a, 10% to b", "priority 0  route 90% to a, 10% to b"),
    ],
)
def test_what_means_the_same_is_no_difference(before: str, after: str) -> None:
    assert not changed((before, after))


def test_the_built_in_profile_is_the_same_when_it_is_written_out() -> None:
    small = 'sched 1\npool a { endpoints "10.0.0.1:8000" }\nmodel m { route a }\n'

    assert not told(small, text(flat("small.sched", small)))


def test_what_has_another_name_is_renamed_wherever_it_is_named() -> None:
    assert changed(("prefix ", "cached "), ("pool b", "pool beta"), ("to b", "to beta"),
                   ("for b", "for beta")) == [
        "pool `b` renamed `beta`",
        "scorer `prefix` renamed `cached`",
    ]  # fmt: skip


def test_a_rule_that_stands_elsewhere_among_rules_that_are_tried_in_order_has_moved() -> None:
    line = 'class y when request.model == "m" { priority -3 }\n'
    first = BASE.replace(line, "").replace("class x", line + "class x")

    assert told(BASE, first) in (["class `y` moved: #2 → #1"], ["class `x` moved: #1 → #2"])


def test_where_the_order_means_nothing_nothing_has_moved() -> None:
    line = 'pool b { endpoints "10.0.0.2:8000" }\n'

    assert not told(BASE, BASE.replace(line, "") + line)


def test_a_policy_without_differences_has_none() -> None:
    source, load = whole()
    program = compile_policy([source], loader=load, declares=declares)
    sections = flatten([source], program, load)
    again = Source("again.sched", text(sections))
    same = flatten([again], compile_policy([again], declares=declares))

    assert compare(sections, same) == ()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_differences_point_into_both_policies(path: Path) -> None:
    old, new = Source("old.sched", BASE), Source(path.name, path.read_text())
    found = compare(flatten([old], compile_policy([old])), flatten([new], compile_policy([new])))

    assert found
    assert all(any(change.places) for change in found)
    assert list(found) == sorted(found, key=lambda c: (c.of, c.label, c.how, c.old, c.new))


GUARDS = """sched 1
pool a { endpoints "10.0.0.1:8000" }
model m { route a }
guard own {
  ask http "https://screen.acme.example" {
    header "authorization" from env "TOKEN" prefix "Bearer "
    match when answer.flagged
  }
  cache for 5min
}
guard armor {
  template "projects/acme/locations/eu/templates/t" for m
  template "projects/acme/locations/eu/templates/u"
  inspect prompt, response
}
guard words { deny "a"  detect card }
safety { block when matched("own") || matched("armor") || matched("words") }
"""


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ('"TOKEN"', '"KEY"', "header `authorization` in guard `own` from env"),
        ("answer.flagged", "answer.bad", "answer's match in guard `own` answer.flagged → answer"),
        ("https://", "http://", "provider in guard `own` ask http"),
        ("5min", "1min", "cache in guard `own` 5min, at most 10000 → 1min"),
        ('t" for m', 'x" for m', 'template for m in guard `armor` "projects'),
        (
            "inspect prompt, response",
            "inspect prompt, response stream observe",
            "stream in guard `armor` hold → observe",
        ),
        ("inspect prompt, response", "inspect prompt", "window in guard `armor` removed"),
        ('"a"', '"a", "b"', 'phrase "b" in guard `words` added'),
        ("detect card", "detect card, iban", "detector `iban` in guard `words` added"),
        ("block when", "guards in parallel block when", "order of guards in safety added"),
        ('matched("own") ||', '!matched("own") ||', "block in safety"),
    ],
)  # fmt: skip
def test_a_difference_between_guards_is_one_line(before: str, after: str, line: str) -> None:
    assert before in GUARDS
    found = told(GUARDS, GUARDS.replace(before, after))

    assert any(f.startswith(line) for f in found), found
