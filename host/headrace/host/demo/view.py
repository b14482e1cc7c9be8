"""What the demo shows while it runs: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace.host.demo.tally import EndpointTally, Tally, quantile
from headrace.host.demo.workload import CLASSES, PHASES, Phase

_BAR_COLUMNS = 24
_RECENT = 50  # first tokens that the live figures look back on
_PLAIN_PERIOD_S = 2.0


class View(Protocol):
    """Where progress goes."""

    def say(self, line: str) -> None:
        """Show one line of news."""
        ...

    def phase(self, phase: Phase) -> None:
        """Show that *phase* begins."""
        ...

    def refresh(self, tally: Tally, now_s: float) -> None:
        """Show how *tally* stands, if it is time to."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was found."""
        ...


@dataclass(slots=True)
class Silent:
    """Shows nothing: for `--json`."""

    def say(self, line: str) -> None:
        """Show nothing."""

    def phase(self, phase: Phase) -> None:
        """Show nothing."""

    def refresh(self, tally: Tally, now_s: float) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Plain:
    """One line now and then: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown_s = float("-inf")

    def say(self, line: str) -> None:
        """Print *line*."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def phase(self, phase: Phase) -> None:
        """Print which phase begins."""
        self.say(_title(phase))

    def refresh(self, tally: Tally, now_s: float) -> None:
        """Print one line of counts every two seconds."""
        if now_s - self._shown_s >= _PLAIN_PERIOD_S:
            self._shown_s = now_s
            self.say(f"  {_counts(tally)}")

    def close(self) -> None:
        """Do nothing."""


class LiveTable:
    """A table that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = "starting"
        self._live: Live | None = None

    def say(self, line: str) -> None:
        """Print *line* above the table."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def phase(self, phase: Phase) -> None:
        """Name *phase* in the title."""
        self._title = _title(phase)

    def refresh(self, tally: Tally, now_s: float) -> None:
        """Redraw the table."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(board(self._title, tally), refresh=True)

    def close(self) -> None:
        """Stop redrawing; the last state stays on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def board(title: str, tally: Tally) -> RenderableType:
    """Return the live picture: where requests went, and how the callers fared."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("pool", "endpoint"):
        table.add_column(column)
    for column in ("served", "cache hits"):
        table.add_column(column, justify="right")
    table.add_column("share")
    most = max((one.served for one in tally.endpoints.values()), default=0)
    for address, one in tally.endpoints.items():
        table.add_row(tally.pool_of[address], address, *_row(one, most))
    return Group(table, Text(_counts(tally)))


def conclusion(tally: Tally) -> str:
    """Return the summary in words, several lines."""
    served = tally.by_status["200"]
    slow_ms = quantile(tally.first_tokens_s, 0.99) * 1000
    typical_ms = quantile(tally.first_tokens_s, 0.5) * 1000
    lines = [
        f"{tally.done} requests: {served} served, {sum(tally.shed.values())} shed"
        f" ({_shed(tally)}), {tally.errors} unexpected",
        f"first token after {typical_ms:.0f} ms (median), {slow_ms:.0f} ms (p99)",
        f"{tally.prefix_hit_ratio():.0%} of all prompt tokens were already in the chosen"
        " replica's cache",
    ]
    if served:
        split = (f"{name} {count / served:.0%}" for name, count in tally.by_pool().items())
        lines.append(f"by pool: {', '.join(split)}")
    return "\n".join(lines)


def _title(phase: Phase) -> str:
    number = [p.name for p in PHASES].index(phase.name) + 1
    return f"{number}/{len(PHASES)} {phase.name}: {phase.about}"


def _row(one: EndpointTally, most: int) -> Sequence[str]:
    hits = f"{one.cached_tokens / one.prompt_tokens:.0%}" if one.prompt_tokens else "-"
    bar = "█" * round(_BAR_COLUMNS * one.served / most) if most else ""
    return (str(one.served), hits, bar)


def _counts(tally: Tally) -> str:
    recent = tally.first_tokens_s[-_RECENT:]
    first = f"{quantile(recent, 0.5) * 1000:.0f} ms" if recent else "-"
    return (
        f"sent {tally.sent}  open {tally.sent - tally.done}  served {tally.by_status['200']}"
        f"  shed {_shed(tally)}  first token {first}  cache hits {tally.prefix_hit_ratio():.0%}"
        f"  unexpected {tally.errors}"
    )


def _shed(tally: Tally) -> str:
    return ", ".join(f"{name} {tally.shed[name]}" for name in CLASSES)
