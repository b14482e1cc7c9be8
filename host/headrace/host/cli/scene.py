"""What `eval` and `explain` look at: a policy, a state of its pools, and a request."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from headrace.dsl.cases import TestCase
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.host.cli.flags import Mistakes, reason
from headrace.host.cli.imports import Imports
from headrace.host.cli.policies import compile_sources

if TYPE_CHECKING:
    from headrace.host.policytest.run import Ran

GIVEN = "<given>"
FILE_BYTES_MAX = 1 << 20
NO_POLICY = Source(
    "<no policy>",
    'sched 1\npool pool { endpoints "127.0.0.1:8000" }\nmodel "*" { route pool }\n',
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A policy and one case of it."""

    program: Program
    case: TestCase

    def run(self, mistakes: Mistakes) -> "Ran | None":
        """Return what the policy does in this case; note it if it cannot be asked."""
        from headrace.host.policytest.asked import Unaskable
        from headrace.host.policytest.beside import Beside
        from headrace.host.policytest.run import Broken, Runner
        from headrace.host.policytest.world import world

        try:
            where = world(self.program, self.case.pools)
            return Runner(self.program).request(self.case.request, where, Beside.of(self.case))
        except (Broken, Unaskable) as fault:
            mistakes.add(str(fault))
            return None


def given_scene(
    sources: Sequence[Source], state: Path | None, request: Path | None, mistakes: Mistakes
) -> Scene | None:
    """Return the scene of the files *state* and *request*, or note why there is none."""
    from headrace.host.policytest.scenario import Unreadable, scenario

    noted = len(mistakes.texts)
    program = compile_sources(sources, mistakes)
    given = [read_data(path, flag, mistakes) for path, flag in _flags(state, request)]
    if program is None or len(mistakes.texts) > noted:
        return None
    try:
        text = scenario(GIVEN, given[0], given[1], program)
    except Unreadable as fault:
        mistakes.add(f"--state, --request: {fault}")
        return None
    whole = compile_sources([*sources, Source(GIVEN, text)], mistakes, Imports.of(sources))
    if whole is None:
        return None
    case = next(c for c in whole.tests if c.span.source.name == GIVEN)
    return Scene(replace(whole, digest=program.digest), case)


def _flags(state: Path | None, request: Path | None) -> list[tuple[Path | None, str]]:
    return [(state, "--state"), (request, "--request")]


def tested_scene(sources: Sequence[Source], name: str, mistakes: Mistakes) -> Scene | None:
    """Return the scene of the policy's test whose name has *name* in it, or note why not."""
    program = compile_sources(sources, mistakes)
    if program is None:
        return None
    cases = [c for c in program.tests if name.lower() in c.name.lower()]
    if not cases:
        known = ", ".join(f"`{case.name}`" for case in program.tests[:5])
        there = f"there is: {known}" if known else "give the file that has the `test` blocks"
        mistakes.add(f"--test: no test has `{name}` in its name; {there}")
        return None
    return Scene(program, cases[0])


def read_data(path: Path | None, flag: str, mistakes: Mistakes) -> object:
    """Return what the JSON or YAML file at *path* holds; None without one, and if it is bad."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            mistakes.add(f"{flag}: `{path}` is larger than {FILE_BYTES_MAX >> 20} MiB")
            return None
        text = raw.decode()
        if path.suffix in (".yaml", ".yml"):
            return _yaml(text)
        return json.loads(text)
    except OSError as error:
        mistakes.add(f"{flag}: cannot read `{path}`: {reason(error)}")
    except UnicodeDecodeError as error:
        mistakes.add(f"{flag}: `{path}` is not UTF-8 at byte {error.start}: save it as UTF-8")
    except json.JSONDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg.lower()}"
        mistakes.add(f"{flag}: `{path}` is not JSON ({why}); YAML ends in `.yaml`")
    except RecursionError:
        mistakes.add(f"{flag}: `{path}` is nested too deep: it is a map of pools, or of fields")
    except (ValueError, yaml.YAMLError) as error:
        mistakes.add(f"{flag}: `{path}` is not YAML: {' '.join(str(error).split())}")
    return None


def _yaml(text: str) -> object:
    """Return what *text* holds; anchors are refused, as a few can stand for gigabytes."""
    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.SafeLoader)):
        raise ValueError("aliases (`*name`) are not taken: write the values out")
    return yaml.safe_load(text)
