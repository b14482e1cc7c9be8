"""Flags: each has its variable, its help, and mistakes are told together."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.cli.flags import variable
from headrace.host.cli.main import build_app
from headrace.host.cli.size import SizeError, parse_size
from tests.host.cli.command import headrace

COMMANDS = ("demo", "check", "envoy-config", "serve", "model-server", "version")
BUILT_IN = {"--help", "-h"}


def options(command: str) -> list[object]:
    """Return the options of *command* as the command line sees them."""
    group = typer.main.get_command(build_app())
    commands: dict[str, object] = getattr(group, "commands")  # noqa: B009 - not in typer's types
    parameters: list[object] = getattr(commands[command], "params")  # noqa: B009
    return [p for p in parameters if getattr(p, "param_type_name") == "option"]  # noqa: B009


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_is_also_a_variable_and_says_what_it_does(command: str) -> None:
    for option in options(command):
        names: list[str] = getattr(option, "opts")  # noqa: B009
        if BUILT_IN.isdisjoint(names):
            assert getattr(option, "envvar") == variable(names[0])  # noqa: B009
            assert getattr(option, "help")  # noqa: B009


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_and_exits_0(command: str) -> None:
    done = headrace(command, "--help", env={"COLUMNS": "200"})

    assert done.code == 0
    assert "Usage" in done.out


def test_the_front_page_names_every_command_in_the_order_of_first_use() -> None:
    done = headrace("--help", env={"COLUMNS": "200"})

    listed = done.out[done.out.index("Commands") :]
    places = [listed.index(f" {command} ") for command in COMMANDS]
    assert places == sorted(places)


def test_an_unknown_flag_is_a_usage_error() -> None:
    done = headrace("serve", "x.sched", "--lisen", "127.0.0.1:1")

    assert done.code == 2
    assert "--lisen" in done.err


def test_version_names_what_it_stands_on() -> None:
    done = headrace("version")

    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == [
        "headrace",
        "python",
        "grpcio",
        "protobuf",
        "uvloop",
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("65536", 65_536),
        ("32MiB", 32 << 20),
        ("100 MB", 100_000_000),
        (" 1kB", 1000),
        ("1KiB", 1024),
        ("2GiB", 2 << 30),
        ("7B", 7),
    ],
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1.5MiB", "-1", "1 TB", "32mib", "٣MB", "9" * 16])
def test_what_is_no_size_is_told_the_cure(text: str) -> None:
    with pytest.raises(SizeError, match="is not a size: write"):
        parse_size(text)


@given(st.integers(0, 10**15 - 1))
def test_a_number_of_bytes_is_a_size(size: int) -> None:
    assert parse_size(str(size)) == size
