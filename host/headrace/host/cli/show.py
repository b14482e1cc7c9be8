"""`headrace show`: what a policy comes to, where each line is from, when each rule is known."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from typing import Annotated

import msgspec
import typer

from headrace.dsl.effective import Bound, bindings, plain, redacted, text
from headrace.host.cli.flags import Mistakes, flag
from headrace.host.cli.flattened import read_policy
from headrace.host.cli.policies import Policies


class Shape(Enum):
    """For whom something is printed."""

    HUMAN = "human"
    JSON = "json"


def show(
    policies: Policies,
    effective: Annotated[
        bool,
        flag("--effective", "The policy with imports, overrides and `extends` resolved (default)."),
    ] = False,
    stages: Annotated[
        bool, flag("--stages", "When the value of each rule is known, and why.")
    ] = False,
    redact: Annotated[
        bool, flag("--redact", "Without addresses, texts and patterns, for sharing.")
    ] = False,
    format: Annotated[Shape, flag("--format", "For people, or for machines.")] = Shape.HUMAN,
) -> None:
    """Show what a policy comes to, and where each line of it is from.

    What is printed is a policy again: it compiles to the same program. A comment on each line
    names the file and line that says it; `default` is what nobody wrote. Exits 0, or 2 if the
    policy has an error.

        headrace show policies/quickstart.sched
    """
    mistakes = Mistakes()
    if stages and redact:
        mistakes.add("--stages: it quotes rules as they are: leave out `--redact`")
    read = read_policy(policies, mistakes)
    mistakes.stop()
    assert read is not None, "without a policy there is a mistake"
    sections = redacted(read.sections) if redact else read.sections
    shown = sections if effective or not stages else ()
    bound = bindings(read.program) if stages else None
    if format is Shape.JSON:
        parts: dict[str, object] = {"policy": read.program.digest}
        parts |= {"effective": plain(shown)} if shown else {}
        parts |= {"stages": [asdict(one) for one in bound]} if bound is not None else {}
        typer.echo(msgspec.json.format(msgspec.json.encode(parts), indent=2).decode())
        return
    pages = [text(shown)] if shown else []
    typer.echo("\n".join([*pages, _rows(bound)] if bound is not None else pages), nl=False)


def _rows(bound: Sequence[Bound]) -> str:
    if not bound:
        return "this policy has no rules\n"
    names = max(len(one.name) for one in bound)
    times = max(len(one.when) for one in bound)
    return "".join(
        f"{one.name.ljust(names)}  {one.when.ljust(times)}  {one.why}  ({one.origin})\n"
        for one in bound
    )
