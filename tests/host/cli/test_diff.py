"""`headrace diff`: 0 equal, 1 different, 2 usage."""

from pathlib import Path

import msgspec
import pytest

from tests.host.cli.command import QUICKSTART, ROOT, headrace

OLD = Path(QUICKSTART).read_text()


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new.sched"
    path.write_text(OLD.replace("pool.queue > 5.0", "pool.queue > 8.0"))
    return path


def test_a_policy_is_equal_to_itself_however_it_is_written(tmp_path: Path) -> None:
    shown = headrace("show", QUICKSTART)
    other = tmp_path / "flat.sched"
    other.write_text(shown.out)
    done = headrace("diff", QUICKSTART, str(other))

    assert (done.code, done.out) == (0, "the policies say the same\n")


def test_a_difference_is_told_with_places_and_a_test_that_holds_for_the_old(new: Path) -> None:
    done = headrace("diff", QUICKSTART, str(new))

    assert done.code == 1
    assert done.out.startswith("1 difference in what they say:\n")
    assert "pool.queue > 5.0 → pool.kv_cache > 80% || pool.queue > 8.0" in done.out
    assert f"{QUICKSTART}:" in done.out
    assert "decision.reason: 'shed' → ''" in done.out
    pasted = new.with_name("pasted.sched")
    test = done.out[done.out.index('test "as it was decided"') :]
    for text, code in ((OLD, 0), (new.read_text(), 1)):
        pasted.write_text(f"{text}\n{test}")
        assert headrace("test", str(pasted)).code == code


def test_what_decides_alike_is_said_to_with_what_was_analysed(new: Path) -> None:
    new.write_text(OLD.replace("request.priority < 0", "request.priority <= -1"))
    done = headrace("diff", QUICKSTART, str(new), "--budget", "200ms")

    assert done.code == 1
    assert "equivalent on the analysed fragment: " in done.out
    assert "not analysed:" in done.out


def test_only_the_structure_is_compared_if_asked(new: Path) -> None:
    done = headrace("diff", QUICKSTART, str(new), "--structure-only", "--format", "json")
    found = msgspec.json.decode(done.out)

    assert done.code == 1
    assert found["differs"] is True
    assert [change["how"] for change in found["changes"]] == ["changed"]
    assert "witness" not in found


def test_machines_get_the_witness_too(new: Path) -> None:
    done = headrace("diff", QUICKSTART, str(new), "--format", "json")
    found = msgspec.json.decode(done.out)

    assert done.code == 1
    assert found["witness"]["old"]["status"] == 429
    assert found["witness"]["test"].startswith("test ")
    assert found["searched"]["requests"] >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "soon"], "--budget: `soon` is not a duration"),
        (["--budget", "2h"], "--budget: `7200` is out of range"),
    ],
)
def test_a_wrong_budget_is_usage(arguments: list[str], message: str) -> None:
    done = headrace("diff", QUICKSTART, QUICKSTART, *arguments)

    assert done.code == 2
    assert message in done.err


def test_what_is_wrong_with_both_policies_is_told(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sched"
    wrong.write_text("sched 1\npool a { }\n")
    done = headrace("diff", str(wrong), str(ROOT / "missing.sched"))

    assert done.code == 2
    assert "pool `a` has no endpoints" in done.err
    assert "cannot read policy" in done.err
