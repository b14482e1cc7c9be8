"""What the demo shows: lines for pipes, a table for terminals, nothing for `--json`."""

import io

import pytest
from rich.console import Console

from headrace.host.demo.tally import Result, Tally
from headrace.host.demo.view import LiveTable, Plain, Silent, View
from headrace.host.demo.workload import PHASES

COUNTS = (
    "  sent 1  open 0  served 1  shed chat 0, adapter 0, batch 0  first token 250 ms"
    "  cache hits 60%  unexpected 0"
)


def tally() -> Tally:
    counted = Tally({"127.0.0.1:1": "gemma", "127.0.0.1:2": "gemma-new"})
    counted.sent = 1
    counted.add(Result("chat", "chatbot", 200, "127.0.0.1:1", "", 0.25, 100, 60, 20))
    return counted


def shown(kind: type[Plain] | type[LiveTable], *, terminal: bool) -> str:
    """Return what a view of *kind* writes in a short demo."""
    out = io.StringIO()
    view: View = kind(Console(file=out, force_terminal=terminal, width=120))
    view.say("starting 2 model servers")
    view.phase(PHASES[0])
    for now_s in (10.0, 10.5, 12.0):
        view.refresh(tally(), now_s)
    view.close()
    view.close()
    return out.getvalue()


def test_a_pipe_gets_a_line_every_two_seconds() -> None:
    assert shown(Plain, terminal=False).splitlines() == [
        "starting 2 model servers",
        "1/3 warm-up: first questions fill the prefix caches",
        COUNTS,
        COUNTS,
    ]


@pytest.mark.parametrize(
    "part", ["1/3 warm-up", "gemma-new", "127.0.0.1:2", "60%", "█" * 24, COUNTS.strip()]
)
def test_a_terminal_gets_a_table_of_where_requests_went(part: str) -> None:
    assert part in shown(LiveTable, terminal=True)


def test_a_terminal_gets_its_cursor_back() -> None:
    assert shown(LiveTable, terminal=True).rstrip().endswith("\x1b[?25h")


def test_a_machine_gets_nothing_but_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    view: View = Silent()
    view.say("starting")
    view.phase(PHASES[0])
    view.refresh(tally(), 0.0)
    view.close()

    assert capsys.readouterr().out == ""
