"""`headrace eval`: the value of an expression, and of each of its parts."""

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from headrace.dsl.asking import ask
from headrace.dsl.cel.typed import LOOP, Typed
from headrace.dsl.problems.diagnostic import PolicyError, render
from headrace.host.cli.flags import Mistakes, fail, flag
from headrace.host.cli.imports import Imports
from headrace.host.cli.policies import read_sources

if TYPE_CHECKING:
    from headrace.host.explain.diagram import Diagram
    from headrace.host.explain.parts import Frame
    from headrace.host.policytest.run import Ran

FINDINGS = 1
SHOWN_MAX = 16
_LATER = frozenset(("decision", "response"))
_EARLIER = frozenset((LOOP, "pool", "candidates"))


class Format(Enum):
    """How the value is printed."""

    HUMAN = "human"
    JSON = "json"


def eval_(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="In the policy language.")],
    policy: Annotated[
        list[str] | None,
        flag("--policy", "Files whose `let`s and rules EXPR may name; may be repeated."),
    ] = None,
    state: Annotated[
        Path | None, flag("--state", "JSON or YAML: the pools' endpoints.", metavar="FILE")
    ] = None,
    request: Annotated[
        Path | None, flag("--request", "JSON or YAML: the fields of `request.*`.", metavar="FILE")
    ] = None,
    format: Annotated[Format, flag("--format", "For people or for machines.")] = Format.HUMAN,
) -> None:
    """Print the value and the type of an expression, and the values of its parts.

    What reads `endpoint.*` is evaluated for every endpoint of the state. What reads
    `decision.*` is evaluated after the policy has decided. Exits 1 if the expression is
    wrong or fails.

        headrace eval '1.0 / (1.0 + double(request.prompt_tokens))'
    """
    typed = _checked(expression, policy or [])
    roots = {name.partition(".")[0] for name in typed.reads}
    if roots & _LATER and roots & _EARLIER:
        message = "`decision` and `response` come after the pick, `endpoint` and `pool` before it"
        fail(f"{message}: ask for them apart")
    over = "candidates" in roots
    if LOOP in roots and typed.free == frozenset() and not over:
        fail("`endpoint` is read in a place where it has no value")
    shown = list(_shown(typed, _ran(policy or [], state, request), roots))
    if format is Format.JSON:
        told = [{"of": of, "type": str(typed.type), **msgspec.to_builtins(d)} for of, d in shown]
        typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        for of, diagram in shown:
            typer.echo("\n".join(_lines(of, diagram, str(typed.type))))
    if any(diagram.fault for _, diagram in shown):
        raise typer.Exit(FINDINGS)


def _checked(expression: str, policy: list[str]) -> Typed:
    mistakes = Mistakes()
    sources = read_sources(policy, mistakes)
    mistakes.stop()
    try:
        return ask(expression, sources, Imports.of(sources).load)
    except PolicyError as error:
        for diagnostic in error.diagnostics:
            typer.echo(render(diagnostic).rstrip("\n"), err=True)
        raise typer.Exit(FINDINGS) from error


def _ran(policy: list[str], state: Path | None, request: Path | None) -> "Ran":
    """Return what becomes of the request; exit 2 if it cannot be asked."""
    from headrace.host.cli.scene import NO_POLICY, given_scene

    mistakes = Mistakes()
    sources = read_sources(policy, mistakes) or [NO_POLICY]
    scene = given_scene(sources, state, request, mistakes)
    ran = scene.run(mistakes) if scene else None
    mistakes.stop()
    assert ran is not None, "without an answer there is a mistake"
    return ran


def _shown(typed: Typed, ran: "Ran", roots: set[str]) -> "Iterator[tuple[str, Diagram]]":
    """Yield the diagram of every pool and endpoint that the expression is about."""
    from headrace.host.explain.diagram import diagram
    from headrace.host.explain.parts import Parts

    parts = Parts()
    frames = list(_frames(ran, roots))
    for of, frame in frames[:SHOWN_MAX]:
        value = parts.value(typed, frame)
        yield of, diagram(typed.span, parts.of(typed, frame), typed, value)


def _frames(ran: "Ran", roots: set[str]) -> "Iterator[tuple[str, Frame]]":
    from headrace.host.explain.parts import Frame
    from headrace.host.policytest.world import NOW_S

    values = ran.values
    if not roots & _EARLIER:
        yield (
            "",
            Frame(
                values.request, None, None, NOW_S, values.model, values.decision, values.response
            ),
        )
        return
    for name, pool in ran.world.snapshot.pools.items():
        ready = tuple(e for e in pool.endpoints if e.ready) or pool.endpoints
        request = replace(values.request, prefix=ran.world.cached[name])
        frame = Frame(request, pool, None, NOW_S, values.model, candidates=ready)
        if LOOP not in roots:
            yield name, frame
        for endpoint in pool.endpoints if LOOP in roots else ():
            frame = replace(frame, endpoint=endpoint)
            yield f"{name}/{endpoint.name}", frame


def _lines(of: str, diagram: "Diagram", type_: str) -> Iterator[str]:
    from headrace.host.explain.diagram import draw

    yield f"{f'{of}: ' if of else ''}{diagram.value}  ({type_})"
    if diagram.hanging:
        yield from draw(diagram, indent="  ")
