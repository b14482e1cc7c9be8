"""`headrace diff`: what two policies say differently, and a request they decide differently."""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from headrace.dsl.diff import Change, compare
from headrace.host.cli.duration import DurationError, parse_duration
from headrace.host.cli.flags import Mistakes, flag
from headrace.host.cli.flattened import Flattened, read_policy
from headrace.host.cli.show import Shape

if TYPE_CHECKING:
    from headrace.host.witness.search import Searched, Witness

DIFFERENT = 1
BUDGET_S_MAX = 3600.0
NOT_ANALYSED = (
    "prompts that a pattern of a guard finds and that are not its own text",
    "what a provider, a stage of a package, or the time of the day decides",
    "pools of more than three endpoints, labels of endpoints, metrics read by `endpoint.metric`",
    "requests that follow each other: each is decided for itself",
)
Old = Annotated[str, typer.Argument(metavar="OLD", help="The policy as it was.")]
New = Annotated[str, typer.Argument(metavar="NEW", help="The policy as it is to be.")]


def diff(
    old: Old,
    new: New,
    structure_only: Annotated[
        bool, flag("--structure-only", "Do not look for a request they decide differently.")
    ] = False,
    budget: Annotated[
        str, flag("--budget", "How long to look for such a request.", metavar="DURATION")
    ] = "10s",
    format: Annotated[Shape, flag("--format", "For people, or for machines.")] = Shape.HUMAN,
) -> None:
    """Compare two policies: in what they say, and in what they decide.

    The second part asks both about requests and pool states at the boundaries of their rules,
    and shows the first that they decide differently as a `test` block. Exits 0 if they are
    equal, 1 if they differ, 2 if the command line is wrong or a policy has an error.

        headrace diff policies/default.sched policies/prefix-heavy.sched
    """
    mistakes = Mistakes()
    budget_s = _seconds(budget, mistakes)
    one, other = read_policy([old], mistakes), read_policy([new], mistakes)
    mistakes.stop()
    assert one is not None, "without a policy there is a mistake"
    assert other is not None, "without a policy there is a mistake"
    changes = compare(one.sections, other.sections)
    # What says the same decides the same: there is nothing to look for.
    searched = _search(one, other, budget_s) if changes and not structure_only else None
    if format is Shape.JSON:
        typer.echo(_json(changes, searched))
    else:
        typer.echo(_words(changes, searched), nl=False)
    if changes:
        raise typer.Exit(DIFFERENT)


def _seconds(budget: str, mistakes: Mistakes) -> float:
    try:
        budget_s = parse_duration(budget)
    except DurationError as error:
        mistakes.add(f"--budget: {error}")
        return 0.0
    mistakes.bounded("--budget", budget_s, 0, BUDGET_S_MAX)
    return budget_s


def _search(old: Flattened, new: Flattened, budget_s: float) -> "Searched":
    from headrace.extensions.registry import builders
    from headrace.host.witness.search import search

    with _progress(budget_s) as goes_on:
        return search(old.program, new.program, builders(), goes_on)


@contextmanager
def _progress(budget_s: float) -> Generator[Callable[[int], bool], None, None]:
    """Yield what says whether there is time left, and shows how much of it is gone."""
    began_s, shown = monotonic(), 0
    hidden = not sys.stderr.isatty()
    with typer.progressbar(
        length=1000, label="looking for a difference", file=sys.stderr, hidden=hidden
    ) as bar:

        def goes_on(tries: int) -> bool:
            nonlocal shown
            gone = (monotonic() - began_s) / budget_s if budget_s else 1.0
            at = min(1000, int(gone * 1000))
            if at > shown:
                bar.update(at - shown)
                shown = at
            return gone < 1.0

        yield goes_on


def _words(changes: Sequence[Change], searched: "Searched | None") -> str:
    if not changes:
        return "the policies say the same\n"
    plural = "" if len(changes) == 1 else "s"
    lines = [f"{len(changes)} difference{plural} in what they say:", ""]
    width = min(72, max(len(change.text) for change in changes))
    lines += [f"  {c.text.ljust(width)}  ({_places(c)})" for c in changes]
    if searched is not None:
        lines += ["", *_found(searched)]
    return "\n".join(lines) + "\n"


def _places(change: Change) -> str:
    return " → ".join(place for place in change.places if place)


def _found(searched: "Searched") -> list[str]:
    witness = searched.witness
    if witness is None:
        looked = f"{searched.tries:,} requests at {searched.values} boundary values"
        lines = [f"equivalent on the analysed fragment: {looked} were decided alike"]
        return [*lines, "not analysed:", *(f"  {what}" for what in NOT_ANALYSED)]
    lines = ["a request that they decide differently:", ""]
    for name in witness.differing:
        lines.append(f"  decision.{name}: {witness.old[name]!r} → {witness.new[name]!r}")
    return [
        *lines,
        "",
        "it holds for the old policy and fails for the new one:",
        "",
        _test(witness),
    ]


def _test(witness: "Witness") -> str:
    """Return the witness as a test that holds for the old policy."""
    from headrace.host.witness.candidate import block

    names = witness.differing
    names = tuple(n for n in ("status", "reason") if n in names) or names[:1]
    return block(witness.candidate, "as it was decided", {n: witness.old[n] for n in names})


def _json(changes: Sequence[Change], searched: "Searched | None") -> str:
    found: dict[str, object] = {
        "differs": bool(changes),
        "changes": [{**asdict(change), "text": change.text} for change in changes],
    }
    if searched is not None:
        witness = searched.witness
        found["searched"] = {
            "requests": searched.tries,
            "values": searched.values,
            "not_analysed": [] if witness else NOT_ANALYSED,
        }
        found["witness"] = None if witness is None else _shown(witness)
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def _shown(witness: "Witness") -> dict[str, object]:
    return {
        "request": witness.candidate.request,
        "pools": witness.candidate.pools,
        "old": witness.old,
        "new": witness.new,
        "test": _test(witness),
    }
