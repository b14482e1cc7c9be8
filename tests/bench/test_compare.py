"""Two runs of the bench, told apart beyond noise."""

from pathlib import Path

import pytest
from bench.compare import Verdict, changes, differing, main
from bench.report import Figure, Run, UnreadableRun, noise_of, read, write


def verdict(before: Figure, after: Figure) -> Verdict:
    (change,) = changes([before], [after])
    return change.verdict


@pytest.mark.parametrize(
    ("unit", "after", "expected"),
    [
        ("us", 120.0, Verdict.WORSE),
        ("us", 80.0, Verdict.BETTER),
        ("1/s", 120.0, Verdict.BETTER),
        ("1/s", 80.0, Verdict.WORSE),
        ("points", 120.0, Verdict.CHANGED),
        ("us", 104.0, Verdict.SAME),
        ("us", 104.5, Verdict.WORSE),
    ],
)
def test_a_figure_is_judged_by_its_unit_beyond_three_errors(
    unit: str, after: float, expected: Verdict
) -> None:
    assert verdict(Figure("f", 100.0, unit, 1.0), Figure("f", after, unit, 1.0)) is expected


def test_a_figure_measured_once_may_move_by_a_tenth() -> None:
    assert verdict(Figure("f", 100.0, "us"), Figure("f", 109.0, "us", 0.1)) is Verdict.SAME
    assert verdict(Figure("f", 100.0, "us"), Figure("f", 111.0, "us", 0.1)) is Verdict.WORSE


def test_a_figure_of_another_unit_or_in_one_run_alone_is_not_judged() -> None:
    assert verdict(Figure("f", 1.0, "ms"), Figure("f", 1.0, "s")) is Verdict.CHANGED
    found = changes([Figure("a", 1.0, "us")], [Figure("b", 1.0, "us")])
    assert [change.verdict for change in found] == [Verdict.GONE, Verdict.NEW]


def test_one_disturbed_round_does_not_set_the_noise() -> None:
    assert noise_of([100, 101, 99, 100, 900]) == pytest.approx(0.831, abs=0.001)
    assert noise_of([100, 900]) is None


def test_a_run_that_is_written_is_read_back(tmp_path: Path) -> None:
    figures = [Figure("f", 1.5, "us", 0.1), Figure("g", 2.0, "x")]
    write(tmp_path / "run.json", figures)
    assert read(tmp_path / "run.json").figures == figures


@pytest.mark.parametrize("text", ["[]", "{", '{"schema": 0}', '{"schema": 1, "figures": [{}]}'])
def test_a_file_that_is_no_run_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UnreadableRun, match=r"other\.json"):
        read(path)


def test_the_command_fails_when_something_got_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    write(a, [Figure("pick", 100.0, "us", 1.0), Figure("other", 5.0, "us", 0.1)])
    write(b, [Figure("pick", 150.0, "us", 1.0), Figure("other", 5.0, "us", 0.1)])
    for first, second, code in ((a, b, 1), (b, a, 0), (a, tmp_path / "none.json", 2)):
        monkeypatch.setattr("sys.argv", ["compare", str(first), str(second)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert int(ended.value.code or 0) == code
    told = capsys.readouterr()
    assert "worse" in told.out
    assert "1 of 2 are the same" in told.out
    assert "none.json" in told.err


def test_runs_of_two_machines_are_told_apart() -> None:
    a, b = Run([], {"cores": "2", "python": "3.11"}), Run([], {"cores": "16", "python": "3.11"})
    assert differing(a, b) == ["cores is 2 in A and 16 in B"]
    assert differing(a, a) == []
