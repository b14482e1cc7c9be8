"""`headrace version`: which Headrace, and on what."""

import platform
from importlib.metadata import version as installed

import typer


def version() -> None:
    """Print the version of Headrace and of what it stands on."""
    typer.echo(f"headrace {installed('headrace')}")
    typer.echo(f"python {platform.python_version()}")
    for package in ("grpcio", "protobuf", "uvloop"):
        typer.echo(f"{package} {installed(package)}")
