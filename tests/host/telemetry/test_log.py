from pathlib import Path

import msgspec
import pytest

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Outcome
from headrace.host.telemetry.log import FIELDS, TEXT_CHARS_MAX, Level, clean, level_of, line
from headrace.host.telemetry.summary import summarise
from tests import golden
from tests.extensions.body_router.policies import changed
from tests.host.telemetry import outcomes

TOLD = Path(__file__).parent / "told"
SEEN = (outcomes.served(), outcomes.shed(), outcomes.unknown(), outcomes.failed())


def written(outcome: Outcome) -> bytes:
    summary = summarise(outcome)
    time_s = 1_800_000_000.0 + outcome.ended_s
    return line(outcome, summary, level_of(outcome, summary), time_s, "")


def test_the_lines_are_as_agreed() -> None:
    golden.check(TOLD / "lines.txt", "".join(f"{written(o).decode()}\n" for o in SEEN))


@pytest.mark.parametrize("outcome", SEEN)
def test_a_line_has_the_documented_fields(outcome: Outcome) -> None:
    decoded = msgspec.json.decode(written(outcome))

    assert list(decoded) == list(FIELDS)


def test_a_line_has_neither_prompt_nor_query() -> None:
    told = written(outcomes.served()).decode()

    assert outcomes.SECRET not in told
    assert "hidden" not in told


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (outcomes.served(), Level.INFO),
        (changed(outcomes.served(), status=503), Level.INFO),
        (outcomes.shed(), Level.WARNING),
        (outcomes.failed(), Level.WARNING),
        (changed(outcomes.served(), termination="client-gone"), Level.WARNING),
        (changed(outcomes.served(), termination="bug"), Level.ERROR),
        (changed(outcomes.served(), status=503, reason=Reason.NO_ENDPOINTS), Level.ERROR),
    ],
)
def test_the_level_says_whether_we_are_to_blame(outcome: Outcome, level: Level) -> None:
    assert level_of(outcome, summarise(outcome)) is level


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        (
            "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve",
            "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve",
        ),
        ("bad \udcff byte", "bad \\udcff byte"),
        ("x" * 1000, "x" * TEXT_CHARS_MAX + "..."),
    ],
)
def test_a_caller_s_text_is_bounded_and_always_text(text: str, shown: str) -> None:
    assert clean(text) == shown
