"""`headrace doc`: the reference of the installed language, or of one policy."""

from enum import Enum
from importlib.metadata import version
from typing import Annotated

import typer

from headrace.host.cli.flags import Mistakes, flag
from headrace.host.cli.flattened import read_policy


class Page(Enum):
    """How a reference is written."""

    MARKDOWN = "markdown"
    JSON = "json"


Described = Annotated[
    list[str] | None,
    typer.Argument(metavar="POLICY", help="Describe this policy, not the language."),
]


def doc(
    policies: Described = None,
    format: Annotated[Page, flag("--format", "As Markdown, or for machines.")] = Page.MARKDOWN,
) -> None:
    """Write the reference of the language, or of a policy.

    Without a policy: blocks, statements, names, functions, and the stages and settings that
    are installed here. With one: all that it defines, with types and the comments above.
    Exits 0, or 2 if the policy has an error.

        headrace doc policies/quickstart.sched
    """
    from headrace.host.reference.language import language
    from headrace.host.reference.page import as_json, markdown
    from headrace.host.reference.policy import definitions

    if policies:
        mistakes = Mistakes()
        read = read_policy(policies, mistakes)
        mistakes.stop()
        assert read is not None, "without a policy there is a mistake"
        title = f"Policy {', '.join(policies)}"
        tables = definitions(read.sections, read.program, read.sources)
    else:
        title, tables = f"The language of headrace {version('headrace')}", language()
    text = as_json(title, tables) if format is Page.JSON else markdown(title, tables)
    typer.echo(text, nl=format is Page.JSON)
