"""The page on the command line, from the functions behind it."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from textwrap import dedent
from typing import Any, cast, get_type_hints

from docs.tables import code, table
from typer.models import ArgumentInfo, OptionInfo

from headrace.host.cli.main import build_app

HEAD = """# The command line

Every flag is also an environment variable, shown beside it; a flag on the command line wins.
`headrace COMMAND --help` says the same in your terminal.

| exit code | means |
|---|---|
| 0 | done; of `check`: clean; of `demo`: nothing unexpected happened |
| 1 | of `check`: findings; of `serve` and others: the machine forbids it, e.g. a port is taken |
| 2 | the command line, a file or a policy must be written differently; nothing was started |
"""


@dataclass(frozen=True, slots=True)
class Flag:
    """One option or argument of a command, in words."""

    name: str
    takes: str
    default: str
    variable: str
    help: str


def cli() -> str:
    """Return the page."""
    parts = [HEAD]
    for command in build_app().registered_commands:
        callback = cast("Callable[..., object]", command.callback)
        name = command.name or callback.__name__
        parts.append(f"\n## headrace {name}\n\n{_about(callback)}")
        flags = list(flags_of(callback))
        if flags:
            rows = [
                (code(f.name), code(f.takes), code(f.default), code(f.variable), f.help)
                for f in flags
            ]
            parts.append("\n" + table(("flag", "takes", "default", "variable", "what"), rows))
    return "".join(parts)


def _about(callback: Callable[..., object]) -> str:
    """Return the docstring, its example as a block."""
    paragraphs = inspect.cleandoc(callback.__doc__ or "").split("\n\n")
    return "\n\n".join(_paragraph(p) for p in paragraphs) + "\n"


def _paragraph(text: str) -> str:
    """Return *text*, as a block if it is a command to type."""
    lines = dedent(text)
    return f"```\n{lines}\n```" if lines.startswith("headrace ") else text


def flags_of(callback: Callable[..., object]) -> Iterator[Flag]:
    """Yield the options and arguments of the command behind *callback*."""
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        hint: Any = hints[name]  # Any: what an annotation holds is typed nowhere
        for info in getattr(hint, "__metadata__", ()):
            if isinstance(info, OptionInfo | ArgumentInfo):
                default = "" if parameter.default is parameter.empty else parameter.default
                yield _flag(info, hint.__origin__, default)


def _flag(info: OptionInfo | ArgumentInfo, kind: object, default: object) -> Flag:
    names: list[str] = []
    if isinstance(info, OptionInfo):
        # An option's first name stands where another function would have its default.
        names = [str(name) for name in (info.default, *(info.param_decls or ()))]
    return Flag(
        ", ".join(names) or (info.metavar or ""),
        _takes(info.metavar or "", kind) if names else "",
        _shown(default),
        str(info.envvar or ""),
        info.help or "",
    )


def _takes(metavar: str, kind: object) -> str:
    if metavar or kind is bool:
        return metavar
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(str(member.value) for member in kind)
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    return {"int": "N", "str": "TEXT"}.get(name, "FILE")


def _shown(default: object) -> str:
    if default is None or default is False or default == "":
        return ""
    return str(default.value if isinstance(default, Enum) else default)
