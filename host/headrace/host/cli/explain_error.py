"""`headrace explain-error`: what a code means, with an example and its cure."""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import msgspec
import typer

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import CODES
from headrace.dsl.problems.diagnostic import render
from headrace.dsl.problems.page import Page, page, policy_of
from headrace.dsl.problems.suggest import did_you_mean
from headrace.host.cli.flags import Mistakes, flag


class Format(Enum):
    """How a page is printed."""

    HUMAN = "human"
    JSON = "json"


def explain_error(
    codes: Annotated[
        list[str] | None, typer.Argument(metavar="CODE", help="Such as S102; none lists all.")
    ] = None,
    format: Annotated[Format, flag("--format", "For people, or one JSON list.")] = Format.HUMAN,
) -> None:
    """Explain what `headrace check` says: its meaning, an example, the cure.

    headrace explain-error S311
    """
    mistakes, pages = Mistakes(), list[Page]()
    for code in dict.fromkeys(c.upper() for c in codes or ()):
        found = page(code)
        if found is None:
            known = [c.id for c in CODES]
            hint = did_you_mean(code, known) or "`headrace explain-error` lists all"
            mistakes.add(f"there is no code `{code}`: {hint}")
        else:
            pages.append(found)
    mistakes.stop()
    if format is Format.JSON:
        listed = pages or [found for code in CODES if (found := page(code.id))]
        data = msgspec.json.encode([_data(p) for p in listed])
        typer.echo(msgspec.json.format(data, indent=2).decode())
    else:
        typer.echo("\n\n".join(told(p) for p in pages) if pages else _list())


def _list() -> str:
    return "\n".join(f"{c.id}  {c.level.value:<8} {c.title}" for c in CODES)


def told(page: Page) -> str:
    """Return *page* as it is printed, the diagnostics of its example made anew."""
    parts = [f"{page.code.id} ({page.code.level.value}): {page.code.title}", page.text]
    parts += ["This policy has it:", _indented(shown(page)), "What `headrace check` says of it:"]
    parts += [_indented(d) for d in diagnostics_of(page)]
    parts += ["This one has not:", _indented(page.right)]
    if page.allowing:
        parts += ["If it is meant so, allow it on the line before:", _indented(page.allowing)]
    return "\n\n".join(parts)


def diagnostics_of(page: Page) -> Sequence[str]:
    """Return what the compiler says of the page's example, of that code only."""
    found = check_policy(policy_of(page.wrong, page.times), today="2026-11-22")
    return [render(d) for d in found if d.code == page.code.id][:3]


def shown(page: Page) -> str:
    """Return the example that has the problem, as it is printed."""
    again = f"... the last line {page.times} times" if page.times > 1 else ""
    return f"{page.wrong.rstrip()}\n{again}".rstrip()


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))


def _data(page: Page) -> dict[str, str]:
    return {
        "code": page.code.id,
        "level": page.code.level.value,
        "title": page.code.title,
        "text": page.text,
        "wrong": page.wrong,
        "right": page.right,
        "allowing": page.allowing,
    }
