"""Flags: each also as an environment variable, all of their mistakes told at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from headrace.host.envoy.address import Address, AddressError, parse_address

if TYPE_CHECKING:
    from headrace.dsl.problems.diagnostic import Diagnostic

USAGE = 2  # the exit code for what a person has to write differently


def variable(name: str) -> str:
    """Return the environment variable of the flag *name*: ``--otlp`` is ``HEADRACE_OTLP``."""
    return "HEADRACE_" + name.strip("-").replace("-", "_").upper()


# Any, as typer's own Option is: the annotation beside it carries the type.
def flag(name: str, help: str, *, metavar: str | None = None, panel: str | None = None) -> Any:
    """Return the option *name*, which may also be given by its environment variable."""
    positive = name.split("/")[0]
    return typer.Option(
        name,
        help=help,
        metavar=metavar,
        envvar=variable(positive),
        rich_help_panel=panel,
    )


@dataclass(slots=True)
class Mistakes:
    """Collects what is wrong with a command line, to tell all of it before doing anything.

    Written while one command reads its flags. *texts* are printed as they are; *found* are those
    of them that are at a place of a policy's text.
    """

    texts: list[str] = field(default_factory=list[str])
    found: "list[Diagnostic]" = field(default_factory=list["Diagnostic"])

    def add(self, message: str) -> None:
        """Note *message*, one line."""
        self.texts.append(f"error: {message}")

    def address(self, name: str, text: str, *, free_port: bool = False) -> Address:
        """Return *text* as an address; if it is none, note that and return some address."""
        try:
            return parse_address(text, free_port=free_port)
        except AddressError as error:
            self.add(f"{name}: {error}")
            return Address("127.0.0.1", 1)

    def bounded(self, name: str, value: float, low: float, high: float) -> None:
        """Note it if *value* is not from *low* to *high*."""
        if not low <= value <= high:
            self.add(f"{name}: `{value:g}` is out of range: use {low:g} to {high:g}")

    def one_of(self, name: str, value: str, known: Iterable[str]) -> None:
        """Note it if *value* is none of *known*."""
        known = tuple(known)
        if value not in known:
            self.add(f"{name}: `{value}` is not known: use {', '.join(known)}")

    def file(self, name: str, path: Path | None) -> None:
        """Note it if *path* is given and cannot be read."""
        if path is None:
            return
        try:
            path.read_bytes()
        except OSError as error:
            self.add(f"{name}: cannot read `{path}`: {reason(error)}")

    def stop(self) -> None:
        """Print all mistakes and exit 2, if there are any."""
        if self.texts:
            for text in self.texts:
                typer.echo(text, err=True)
            raise typer.Exit(USAGE)


def reason(error: OSError) -> str:
    """Return why *error* happened, in words."""
    return (error.strerror or type(error).__name__).lower()


def fail(message: str, code: int = USAGE) -> NoReturn:
    """Print *message* as an error and exit with *code*."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
