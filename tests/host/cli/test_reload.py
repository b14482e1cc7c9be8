"""`headrace serve` follows its file, and `headrace rollback` goes back."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.host.cli.duration import DurationError, parse_duration
from tests.host.cli.command import QUICKSTART, headrace, running
from tests.host.cli.test_serve import ANY, get
from tests.host.serve.house import policy, swap_in

PATIENCE_S = 10.0
NOWHERE = ["127.0.0.1:9"]


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until *holds*."""
    until_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until_s, "it never came to hold"
        time.sleep(0.02)


def page(ready: dict[str, str]) -> dict[str, object]:
    """Return `/policy`."""
    status, text = get(f"http://{ready['metrics']}/policy")
    assert status == 200
    found: dict[str, object] = json.loads(text)
    return found


def test_a_served_policy_is_replaced_refused_asked_for_and_rolled_back(tmp_path: Path) -> None:
    path = tmp_path / "p.sched"
    path.write_text(policy(1, NOWHERE))
    with running("serve", str(path), *ANY, "--reload-interval", "0") as (host, ready):
        first = page(ready)
        swap_in(path, policy(2, NOWHERE))
        host.send_signal(signal.SIGHUP)
        eventually(lambda: page(ready)["generation"] == 2)
        swap_in(path, "sched 1\nmodel a { route 100% to nowhere }\n")
        host.send_signal(signal.SIGHUP)
        eventually(lambda: page(ready)["valid"] is False)
        refused = page(ready)
        done = headrace("rollback", "--metrics", ready["metrics"])
        unknown = headrace("rollback", "feed", "--metrics", ready["metrics"])
        last = page(ready)
        metrics = get(f"http://{ready['metrics']}/metrics")[1]
        host.send_signal(signal.SIGTERM)
        _, err = host.communicate(timeout=10)

    assert host.returncode == 0, err
    assert first["generation"] == 1
    assert first["sources"] == [str(path)]
    assert "nowhere" in json.dumps(refused["error"])
    assert "policy: refused" in err
    assert "p.sched:2:" in err
    assert done.out == f"policy={str(first['digest'])[:12]} generation=3\n"
    assert (unknown.code, "no earlier policy `feed`" in unknown.err) == (1, True)
    assert (last["generation"], last["digest"]) == (3, first["digest"])
    assert "headrace_policy_generation 3.0" in metrics


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--reload-interval", "0.001"), "--reload-interval: `0.001` is out of range"),
        (("--reload-interval", "-1"), "--reload-interval: `-1` is out of range"),
        (("--soak", "soon"), "--soak: `soon` is not a duration: write e.g. `30s` or `2m`"),
        (("--soak", "48h"), "--soak: `172800` is out of range"),
        (("--admin-token-file", "/no/token"), "--admin-token-file: cannot read `/no/token`"),
    ],
)
def test_a_flag_that_makes_no_sense_is_told(flags: tuple[str, ...], says: str) -> None:
    done = headrace("serve", QUICKSTART, *ANY, *flags)

    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    done = headrace("rollback", "--admin-token-file", str(token))

    assert done.code == 2
    assert "must hold 16 ASCII characters" in done.err
    assert "secret" not in done.err


def test_nobody_at_home_is_said() -> None:
    done = headrace("rollback", "--metrics", "127.0.0.1:9")

    assert done.code == 1
    assert "no answer from `127.0.0.1:9`" in done.err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("7", 7), ("1.5 s", 1.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1d", "1e3s", "\N{ARABIC-INDIC DIGIT ONE}s", "1 0s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(DurationError):
        parse_duration(text)
