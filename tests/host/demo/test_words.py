"""Decisions in words: each kind of decision has its sentence."""

import msgspec
import pytest

from headrace.dsl.program import Pick, Rule
from headrace.dsl.source import Source, Span
from headrace.extensions.picker.decision import Column, Decision, How, Record
from headrace.extensions.picker.snapshot import Endpoint
from headrace.host.demo.words import in_words, read_decisions

SPAN = Span(Source("quickstart.sched", "endpoint.prefix_match"), 0, 21)
A, B = Endpoint("a", "127.0.0.1:1", ready=True), Endpoint("b", "127.0.0.1:2", ready=True)


def decision(**changes: object) -> bytes:
    """Return the host's page of one decision between A and B, with *changes*."""
    column = Column(Rule("prefix", SPAN), 3.0, (1.0, 0.0), (1.0, 0.0))
    fields: dict[str, object] = {
        "request_id": "r1",
        "model": "chatbot",
        "priority": 10,
        "pool": "gemma",
        "profile": "default",
        "how": How.SCORED,
        "chosen": A.address,
        "fallbacks": (B.address,),
        "runner_up": B.address,
        "margin": 3.0,
        "pick": Pick.MAX,
        "seed": 0,
        "epoch": 1,
        "now_s": 1.0,
        "endpoints": (A, B),
        "evidence": Record((), (A, B), (column,), (3.0, 0.0)),
    }
    made = Decision(**{**fields, **changes})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return msgspec.json.encode([made.as_json()])


ASKED = "A request asked for `chatbot` with priority 10."
SENT = f"{ASKED} The policy sent it to pool `gemma`, and there to 127.0.0.1:1"
EQUAL = (Column(Rule("prefix", SPAN), 3.0, (0.5, 0.5), (0.5, 0.5)),)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            f"{SENT}, which scored 3.00. The next best, 127.0.0.1:2, scored 0.00."
            " What made the difference: prefix +3.00.",
        ),
        (
            {"evidence": Record((), (A, B), EQUAL, (1.5, 1.5))},
            f"{SENT}, which scored 1.50. The next best, 127.0.0.1:2, scored 1.50."
            " They were equal, and the tie was broken by the request's name.",
        ),
        ({"runner_up": None}, f"{SENT}, which scored 3.00; there was no other choice."),
        (
            {"how": How.LAST_RESORT, "evidence": Record()},
            f"{SENT} (last-resort).",
        ),
        (
            {"how": How.NONE, "chosen": None, "fallbacks": ()},
            f"{ASKED} Pool `gemma` had no endpoint for it.",
        ),
    ],
)
def test_a_decision_is_told_in_sentences(changes: dict[str, object], words: str) -> None:
    (decided,) = read_decisions(decision(**changes))

    assert in_words(decided) == words
