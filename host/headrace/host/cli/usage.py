"""Run the command line, and tell a mistake in how it was typed in one line with its cure."""

import difflib
import re
from collections.abc import Sequence

import typer

from headrace.host.cli.flags import USAGE

NAME = "headrace"


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run *app* with *arguments* and return its exit code.

    Without arguments its front page is printed; `--version` is the habit for `version`.
    """
    command = typer.main.get_command(app)
    typed = ["version"] if arguments == ["--version"] else list(arguments) or ["--help"]
    try:
        code = command.main(typed, NAME, standalone_mode=False)
    except typer.TyperException as error:
        known = [name_of(app, index) for index in range(len(app.registered_commands))]
        typer.echo(f"error: {mistyped(error.format_message(), arguments, known)}", err=True)
        return USAGE
    if not arguments:
        return USAGE
    return code if isinstance(code, int) else 0


def name_of(app: typer.Typer, index: int) -> str:
    """Return what is typed for the command of *app* at *index*."""
    command = app.registered_commands[index]
    return str(command.name or getattr(command.callback, "__name__", ""))


def mistyped(said: str, arguments: Sequence[str], known: Sequence[str]) -> str:
    """Return *said*, typer's message about *arguments*, in our words and with the cure."""
    first = next((one for one in arguments if not one.startswith("-")), "")
    if said.startswith("No such command"):
        near = difflib.get_close_matches(first, known, n=1)
        cure = f"did you mean `{near[0]}`?" if near else f"`{NAME} --help` lists them"
        return f"no such command `{first}`: {cure}"
    text = " ".join(said.replace("Value error, ", "").split()).rstrip(".")
    text = re.sub(r"Input should be (.*), unable to parse .*", r"it should be \1", text)
    text = re.sub(r" \(Possible options: (.*)\)$", r", did you mean \1?", text)
    text = re.sub(r"argument\(s\) \((.*)\)$", r"argument '\1'", text)
    text = re.sub(r"'([^']*)'", r"`\1`", text)
    text = re.sub(r"(?<![`\w-])(--?\w[\w-]*)(?![`\w-])", r"`\1`", text)
    page = f"{NAME} {first}" if first in known else NAME
    return f"{text[:1].lower()}{text[1:]}: see `{page} --help`"
