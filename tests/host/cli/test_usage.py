"""What is typed wrongly is told in one line, with the cure and exit code 2."""

import socketserver
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from headrace.host.cli.main import build_app
from headrace.host.cli.usage import run
from tests.host.cli.command import headrace

WRONG = [
    (["chekc", "x"], "no such command `chekc`: did you mean `check`?"),
    (["zzz"], "no such command `zzz`: `headrace --help` lists them"),
    (["check"], "missing argument `POLICY`: see `headrace check --help`"),
    (["diff", "a.sched"], "missing argument `NEW`: see `headrace diff --help`"),
    (
        ["check", "--fomat", "json"],
        "no such option: `--fomat`, did you mean `--format`?: see `headrace check --help`",
    ),
    (["--zzz"], "no such option: `--zzz`: see `headrace --help`"),
    (["version", "x"], "got unexpected extra argument `x`: see `headrace version --help`"),
    (
        ["show", "x", "--format", "pdf"],
        "invalid value for `--format` (env var: `HEADRACE_FORMAT`): `pdf` is not one of `human`,"
        " `json`: see `headrace show --help`",
    ),
    (
        ["demo", "--requests", "many"],
        "invalid value for `--requests` (env var: `HEADRACE_REQUESTS`): it should be a valid"
        " integer: see `headrace demo --help`",
    ),
    (
        ["model-server"],
        "missing option `--model` (env var: `HEADRACE_MODEL`): see `headrace model-server --help`",
    ),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=lambda given: " ".join(given)[:30])
def test_a_mistyped_command_is_one_line_with_the_cure(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for only in ("", arguments[0]):
        code = run(build_app(only), arguments)
        told = capsys.readouterr()

        assert (code, told.out, told.err) == (2, "", f"error: {says}\n")


def test_a_command_that_needs_no_policy_does_not_wait_for_the_language() -> None:
    code = "import sys; from headrace.host.cli.main import build_app; build_app('model-server');"
    code += "sys.exit('headrace.dsl.policy' in sys.modules or 'lark' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [([], 2, "Usage: headrace"), (["--version"], 0, "headrace "), (["fmt", "/no"], 2, "")],
)
def test_what_a_command_ends_with_is_what_the_process_ends_with(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(build_app(), arguments) == code
    assert says in capsys.readouterr().out


def test_going_back_where_nobody_listens_says_what_to_give() -> None:
    done = headrace("rollback", "--metrics", "127.0.0.1:1")

    assert done.code == 1
    assert done.err == (
        "error: no answer from `127.0.0.1:1`: connection refused;"
        " give `--metrics` what `serve` says\n"
    )


def test_going_back_where_somebody_else_listens_says_what_to_give() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        port = other.server_address[1]
        done = headrace("rollback", "--metrics", f"127.0.0.1:{port}")
        thread.join(timeout=5)

    assert done.code == 1
    assert done.err.endswith(  # the other one logs there, too
        f"error: `127.0.0.1:{port}` is no headrace: give `--metrics` what `serve` says\n"
    )
