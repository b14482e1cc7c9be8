"""Imports: who is read, in which order, and what is refused."""

import pytest

from headrace.dsl.policy import CHARS_MAX, check_policy, compile_policy
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.source import Source
from headrace.dsl.syntax.reading import FILES_MAX, IMPORT_DEPTH_MAX
from tests.dsl.opening import loader

POOL = 'pool gemma { endpoints "10.0.0.1:8000" }\n'
MODEL = "model chat { route gemma }\n"


def check(files: dict[str, str]) -> tuple[Diagnostic, ...]:
    """Return what is found in the first of *files*, which may import the others."""
    sources = {name: f"sched 1\n{text}" for name, text in files.items()}
    first = next(iter(sources))
    return check_policy([Source(first, sources[first])], loader=loader(sources))


def told(files: dict[str, str]) -> list[tuple[str, str]]:
    return [(d.code, d.message) for d in check(files)]


def test_what_is_imported_is_part_of_the_policy() -> None:
    assert told({"a.sched": f'import "pools.sched"\n{MODEL}', "pools.sched": POOL}) == []


def test_a_path_counts_from_the_file_it_stands_in() -> None:
    files = {
        "top.sched": f'import "team/a.sched"\n{MODEL}',
        "team/a.sched": 'import "b/pools.sched"\n',
        "team/b/pools.sched": POOL,
    }

    assert told(files) == []


def test_a_file_that_is_imported_twice_is_read_once() -> None:
    files = {
        "top.sched": f'import "a.sched"\nimport "b.sched"\n{MODEL}',
        "a.sched": 'import "pools.sched"\n',
        "b.sched": 'import "pools.sched"\n',
        "pools.sched": POOL,
    }

    assert told(files) == []


def test_an_imported_file_may_be_given_as_well() -> None:
    files = {"a.sched": f'sched 1\nimport "b.sched"\n{MODEL}', "b.sched": f"sched 1\n{POOL}"}
    sources = [Source(name, text) for name, text in files.items()]
    program = compile_policy(sources, loader=loader(files))

    assert program.files == ("a.sched", "b.sched")


def test_a_circle_of_imports_is_named() -> None:
    files = {
        "a.sched": f'import "b.sched"\n{POOL}{MODEL}',
        "b.sched": 'import "c.sched"\n',
        "c.sched": 'import "a.sched"\n',
    }
    (found,) = check(files)

    assert (found.code, found.message) == ("S221", "`a.sched` imports itself")
    assert found.label == "a.sched → b.sched → c.sched → a.sched"
    assert found.span.source.name == "c.sched"


def test_a_file_that_cannot_be_brought_hides_no_other_mistake_and_invents_none() -> None:
    text = """import "gone.sched"
        model chat { route gemma  objective batch }
        override pool gemma { stale after 2s }
        filter good = busy || endpoint.queue < 5
        profile fast extends quick { require good, alive  score 2 * load }
        chain default { body_router  masker  picker }
        pool x { endpoints "10.0.0.1:8000"  stael after 2s }
        """
    found = told({"a.sched": text})

    assert found[0] == ("S225", "there is no file `gone.sched`")
    assert [code for code, _ in found] == ["S225", "S102"]


def test_a_mistake_in_an_imported_file_is_shown_there() -> None:
    pools = f"{POOL}filter x = endpoint.redy\nprofile default {{ require x }}\n"
    found = check({"a.sched": f'import "b.sched"\n{MODEL}', "b.sched": pools})

    assert [(d.code, d.span.source.name) for d in found] == [("S201", "b.sched")]


def test_the_first_line_of_an_imported_file_is_checked_too() -> None:
    first = f'sched 1\nimport "b.sched"\n{POOL}{MODEL}'
    found = check_policy([Source("a.sched", first)], loader=loader({"b.sched": "pool x { }"}))

    assert ("S104", "b.sched") in [(d.code, d.span.source.name) for d in found]


@pytest.mark.parametrize(
    "path",
    ["../b.sched", "x/../../b.sched", "/b.sched", "~/b.sched", "c:/b.sched", "a\\\\b.sched",
     "file:b.sched", "b.yaml", "", "b.sched\\n", "x" * 300 + ".sched"],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_opened(path: str) -> None:
    opened: list[str] = []

    def load(path: str, source: Source) -> Source:
        opened.append(path)
        return source

    text = f'sched 1\nimport "{path}"\n{POOL}{MODEL}'
    found = check_policy([Source("a.sched", text)], loader=load)

    assert [d.code for d in found] == ["S225"]
    assert opened == []


def test_imports_have_an_end() -> None:
    deep = {f"{n}.sched": f'import "{n + 1}.sched"\n' for n in range(IMPORT_DEPTH_MAX + 5)}
    wide = {"top.sched": "".join(f'import "{n}.sched"\n' for n in range(FILES_MAX + 5))}
    wide |= {f"{n}.sched": "" for n in range(FILES_MAX + 5)}

    for files in (deep, wide):
        found = told({"x.sched": f'import "{next(iter(files))}"\n{POOL}{MODEL}', **files})
        assert "S225" in {code for code, _ in found}
        assert any("200 at most" in message for _, message in found)


def test_all_files_together_are_bounded() -> None:
    big = "#" + "x" * (CHARS_MAX // 2)
    files = {"a.sched": f'import "b.sched"\n{POOL}{MODEL}{big}', "b.sched": big}

    assert [code for code, _ in told(files)] == ["S111"]


def test_an_endless_loader_ends() -> None:
    def load(path: str, source: Source) -> Source:
        text = 'sched 1\nimport "more.sched"\nimport "again.sched"\n'
        return Source(f"{source.name}+", text)

    text = f'sched 1\nimport "b.sched"\n{POOL}{MODEL}'
    found = check_policy([Source("a.sched", text)], loader=load)

    assert {d.code for d in found} == {"S225"}
