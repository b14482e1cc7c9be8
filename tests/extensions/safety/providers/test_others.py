"""What the smaller providers read in their answers, beyond what the stand-ins say."""

from typing import Any

import pytest

from headrace.dsl.values import RuleFault
from headrace.extensions.safety.contract import Hit, HttpReply, Judged, Kind, Trouble, Verdict
from tests.extensions.safety.providers.talk import Values, body_of, guard, ok, prompt, talked

TEXT = "call Ada now"


def says(provider: str, answer: object, text: str = TEXT, **settings: Any) -> Judged:
    return talked(guard(provider, **settings), prompt(text), ok(answer))[0]


def chat(content: object, **more: object) -> dict[str, object]:
    return {"choices": [{"message": {"role": "assistant", "content": content}, **more}]}


@pytest.mark.parametrize(
    ("content", "hits"),
    [
        ("safe", ()),
        ("\n\nsafe \n", ()),
        ("unsafe\nS1", ("S1",)),
        ("unsafe\nS1,S2 , S10", ("S1", "S2", "S10")),
        ("unsafe", ("unsafe",)),
    ],
)
def test_llama_guard_says_safe_or_what_is_not(content: str, hits: tuple[str, ...]) -> None:
    assert says("llama_guard", chat(content)) == Verdict(tuple(Hit(what, 0) for what in hits))


@pytest.mark.parametrize(
    ("answer", "hits"),
    [
        (chat("unsafe\nS2"), ()),
        (chat("unsafe\nS1,S2"), ("S1",)),
        (chat("unsafe"), ("unsafe",)),
        (chat("unsafe\nS2", finish_reason="length"), ("unsafe",)),
    ],
)
def test_only_the_categories_that_count_are_hits(answer: object, hits: tuple[str, ...]) -> None:
    assert says("llama_guard", answer, categories=(("S1", ""), ("S3", ""))) == Verdict(
        tuple(Hit(what, 0) for what in hits)
    )


@pytest.mark.parametrize(
    "answer",
    [chat(""), chat("Sure, here is"), chat("safe, I think"), chat(None), chat(7), {"choices": []}],
)
def test_a_model_that_is_no_llama_guard_is_trouble(answer: object) -> None:
    assert isinstance(says("llama_guard", answer), Trouble)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": "passed", "content": TEXT}, Verdict()),
        ({"status": "success"}, Verdict()),
        ({"status": "blocked", "content": "no", "rail": "jail"}, Verdict((Hit("jail", 0),))),
        ({"status": "blocked", "content": "no"}, Verdict((Hit("rail", 0),))),
        ({"status": "modified", "content": "-"}, Verdict((Hit("rail", 0),), {0: "-"})),
        ({"status": "modified"}, Trouble(Kind.ERROR, "unknown status `modified`")),
        ({"status": "maybe"}, Trouble(Kind.ERROR, "unknown status `maybe`")),
    ],
)
def test_nemo_passes_blocks_or_modifies(answer: object, said: Judged) -> None:
    assert says("nemo", answer, config="c") == said


def test_nemo_is_told_which_rails_to_run() -> None:
    sent = talked(guard("nemo", config=(("a", ""), ("b", ""))), prompt("x"), ok({}))[1]
    chosen = talked(guard("nemo", config="a", rails="output"), prompt("x"), ok({}))[1]

    assert body_of(sent[0])["guardrails"] == {"config_ids": ["a", "b"], "rail_types": ["input"]}
    assert body_of(chosen[0])["guardrails"] == {"config_ids": ["a"], "rail_types": ["output"]}


def entity(start: int, end: int) -> dict[str, object]:
    return {"entity_type": "PERSON", "start": start, "end": end, "score": 0.9}


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2), (0, 13)])
def test_presidio_may_find_nothing_outside_the_text(start: int, end: int) -> None:
    assert says("presidio", [entity(start, end)]) == Trouble(
        Kind.ERROR, "a finding is outside the text"
    )


def test_presidio_is_asked_what_the_policy_says() -> None:
    of = guard("presidio", language="de", entities=(("PERSON", ""), ("IBAN", "")), score=0.7)
    plain = talked(guard("presidio"), prompt("x"), ok([]))[1]

    assert body_of(talked(of, prompt("x"), ok([]))[1][0]) == {
        "text": "x",
        "language": "de",
        "entities": ["PERSON", "IBAN"],
        "score_threshold": 0.7,
    }
    assert body_of(plain[0]) == {"text": "x", "language": "en", "score_threshold": 0.5}


def test_presidios_anonymizer_is_asked_about_what_was_found() -> None:
    of = guard("presidio", secrets={"x-key": "K"}, anonymizer="http://anonymizer:1/")
    answers = (ok([]), ok([entity(5, 8)]), ok({"text": "call X now"}))
    said, sent = talked(of, prompt("hello", TEXT), *answers)
    call: Any = sent[2]

    assert said == Verdict((Hit("PERSON", 1, 5, 8, "<PERSON>"),), {1: "call X now"})
    assert (call.url, call.secrets) == ("http://anonymizer:1/anonymize", ())
    assert body_of(call) == {"text": TEXT, "analyzer_results": [entity(5, 8)]}


def test_where_it_is_is_enough_without_the_anonymizer() -> None:
    of = guard("presidio", anonymizer="http://anonymizer:1")
    down = Trouble(Kind.UNREACHABLE)

    assert talked(of, prompt(TEXT), ok([entity(5, 8)]), down)[0] == Verdict(
        (Hit("PERSON", 0, 5, 8, "<PERSON>"),)
    )


def lakera(*spans: object, detected: tuple[str, ...] = (), flagged: bool = True) -> object:
    breakdown = [{"detector_type": name, "detected": True} for name in detected]
    quiet = {"detector_type": "quiet", "detected": False}
    return {"flagged": flagged, "breakdown": [*breakdown, quiet], "payload": list(spans)}


def place(start: int, end: int, **more: object) -> dict[str, object]:
    return {"start": start, "end": end, "detector_type": "pii/name", "message_id": 0, **more}


@pytest.mark.parametrize(
    ("answer", "hits"),
    [
        (lakera(flagged=False), ()),
        ({"flagged": True}, (Hit("flagged", 0),)),
        (lakera(detected=("prompt_attack",)), (Hit("prompt_attack", 0),)),
        (lakera(place(5, 8, text="Ada"), detected=("pii/name",)), (Hit("pii/name", 0, 5, 8),)),
        (lakera(place(5, 8), detected=("pii",)), (Hit("pii/name", 0, 5, 8),)),
        (lakera(place(5, 7, text="Ada")), (Hit("pii/name", 0, 5, 8),)),
        (lakera(place(4, 6, text="Ada")), (Hit("pii/name", 0),)),
        (lakera(place(5, 80)), (Hit("pii/name", 0),)),
        (lakera(place(5, 8, message_id=3)), (Hit("flagged", 0),)),
        (
            lakera(place(5, 8), detected=("pii/name", "prompt_attack")),
            (Hit("pii/name", 0, 5, 8), Hit("prompt_attack", 0)),
        ),
    ],
)
def test_lakera_says_where_if_it_can(answer: object, hits: tuple[Hit, ...]) -> None:
    assert says("lakera", answer) == Verdict(hits)


def test_lakera_is_asked_what_the_policy_says() -> None:
    plain: Any = talked(guard("lakera", ""), prompt("x"), ok({}))[1][0]
    of = guard("lakera", project="p-1", breakdown="false")

    assert plain.url == "https://api.lakera.ai/v2/guard"
    assert body_of(plain) == {
        "messages": [{"role": "user", "content": "x"}],
        "payload": True,
        "breakdown": True,
    }
    assert body_of(talked(of, prompt("x"), ok({}))[1][0]) == {
        "messages": [{"role": "user", "content": "x"}],
        "payload": True,
        "project_id": "p-1",
    }


def moderated(flagged: bool, **scores: float) -> dict[str, object]:
    categories = {name: score > 0.5 for name, score in scores.items()}
    return {"flagged": flagged, "categories": categories, "category_scores": scores}


@pytest.mark.parametrize(
    ("above", "result", "hits"),
    [
        ((), moderated(False, hate=0.1), ()),
        ((), moderated(True, hate=0.9, sexual=0.8), ("hate", "sexual")),
        ((), {"flagged": True}, ("flagged",)),
        ((), {"flagged": False, "categories": {"illicit": None}}, ()),
        (((0.2, ""),), moderated(False, hate=0.2, sexual=0.19), ("hate",)),
        (((0.2, "hate"),), moderated(True, hate=0.1, sexual=0.9), ("sexual",)),
        (((0.95, "hate"),), moderated(True, hate=0.9), ()),
        (((0.2, ""),), {"flagged": True}, ("flagged",)),
        (((0.2, ""),), {"flagged": False, "category_scores": {"hate": None}}, ()),
    ],
)
def test_moderation_counts_as_it_flags_or_from_a_score_on(
    above: Values, result: object, hits: tuple[str, ...]
) -> None:
    of = guard("openai_moderation", above=above)
    said, _ = talked(of, prompt(TEXT), ok({"results": [result]}))

    assert said == Verdict(tuple(Hit(what, 0) for what in hits))


def test_moderation_has_a_result_for_each_text() -> None:
    answer = ok({"results": [moderated(False), moderated(True, hate=0.9)]})
    said, sent = talked(guard("openai_moderation", ""), prompt("a", "b"), answer)
    short, _ = talked(guard("openai_moderation"), prompt("a", "b", "c"), answer)
    call: Any = sent[0]

    assert said == Verdict((Hit("hate", 1),))
    assert call.url == "https://api.openai.com/v1/moderations"
    assert body_of(call) == {"model": "omni-moderation-latest", "input": ["a", "b"]}
    assert short == Trouble(Kind.ERROR, "2 results for 3 texts")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"validation_passed": True, "validated_output": TEXT}, Verdict()),
        ({"validationPassed": True, "validatedOutput": None}, Verdict()),
        ({"validation_passed": False}, Verdict((Hit("n", 0),))),
        ({"validationPassed": False, "validatedOutput": "-"}, Verdict((Hit("n", 0),), {0: "-"})),
        ({"validation_passed": True, "validated_output": "-"}, Verdict((Hit("n", 0),), {0: "-"})),
        (
            {"validation_passed": False, "validation_summaries": [{"validator_name": "pii"}]},
            Verdict((Hit("pii", 0),)),
        ),
        (
            {"validationPassed": False, "validationSummaries": [{"validatorName": "pii"}, {}]},
            Verdict((Hit("pii", 0),)),
        ),
        (
            {"validated_output": TEXT},
            Trouble(Kind.ERROR, "the answer does not say whether the validation passed"),
        ),
    ],
)
def test_guardrails_ai_is_read_in_both_spellings(answer: object, said: Judged) -> None:
    assert says("guardrails_ai", answer, guard="n") == said


def test_a_guard_that_raises_answers_with_400() -> None:
    raised = HttpReply(400, {}, b'{"detail": "Validation failed for field with errors: x"}')
    malformed = HttpReply(400, {}, b'{"detail": "no output"}')
    of = guard("guardrails_ai", guard="my guard")

    assert talked(of, prompt("x"), raised)[0] == Verdict((Hit("my guard", 0),))
    assert isinstance(talked(of, prompt("x"), malformed)[0], Trouble)


@pytest.mark.parametrize(("casing", "name"), [("snake", "llm_output"), ("camel", "llmOutput")])
def test_guardrails_ai_is_written_to_in_the_servers_spelling(casing: str, name: str) -> None:
    of = guard("guardrails_ai", guard="a/b", casing=casing)
    call: Any = talked(of, prompt("x"), ok({}))[1][0]

    assert call.url.endswith("/guards/a%2Fb/validate")
    assert body_of(call) == {name: "x"}


def reads(name: str) -> Any:
    """Return a rule that reads one field; Any: see `guard`."""

    def read(answer: Any) -> object:
        return answer[name]

    return read


def fails(answer: object) -> RuleFault:
    """Stand in for a rule that names what is not there."""
    return RuleFault("missing")


def test_a_body_has_values_where_its_holes_are_and_no_text_changes_its_shape() -> None:
    body = '{"t": {text}, "d": {direction}, "m": [{model}, {role}, {id}], "{x}": "{texty}"}'
    of = guard("http", "http://h/check?a=b", rules={"match": reads("f")}, body=body, method="put")
    evil = '", "f": false, "x": "{texts}'
    said, sent = talked(of, prompt(evil, "b"), ok({"f": True}), ok({"f": False}))
    call: Any = sent[0]

    assert said == Verdict((Hit("g", 0),))
    assert (call.method, call.url) == ("PUT", "http://h/check?a=b")
    assert body_of(call) == {"t": evil, "d": "prompt", "m": ["m", "user", "r"], "{x}": "{texty}"}


FIELDS = {"match": reads("f"), "category": reads("c"), "text": reads("t")}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"f": False}, Verdict()),
        ({"f": True, "c": "bad", "t": "-"}, Verdict((Hit("bad", 0),), {0: "-"})),
        ({"f": True, "c": ["a", 7, "b"], "t": "-"}, Verdict((Hit("a", 0), Hit("b", 0)), {0: "-"})),
        ({"f": True, "c": "", "t": ["-"]}, Verdict((Hit("g", 0),), {0: "-"})),
        ({"f": True, "c": None, "t": "-"}, Verdict((Hit("g", 0),), {0: "-"})),
        (
            {"f": True, "c": "a", "t": ["-", "-"]},
            Trouble(Kind.ERROR, "rule `text` over the answer: not 1 texts"),
        ),
        (
            {"f": True, "c": "a", "t": 7},
            Trouble(Kind.ERROR, "rule `text` over the answer: not 1 texts"),
        ),
        (
            {"f": "yes"},
            Trouble(Kind.ERROR, "rule `match` over the answer: not a bool but str"),
        ),
        (
            {"f": None},
            Trouble(Kind.ERROR, "rule `match` over the answer: not a bool but null"),
        ),
    ],
)
def test_rules_read_the_answer_of_any_api(answer: object, said: Judged) -> None:
    assert talked(guard("http", rules=FIELDS), prompt(TEXT), ok(answer))[0] == said


@pytest.mark.parametrize("faulty", FIELDS)
def test_a_rule_that_fails_is_trouble(faulty: str) -> None:
    rules = {**FIELDS, faulty: fails}
    said = talked(guard("http", rules=rules), prompt(TEXT), ok({"f": True, "c": "a", "t": "-"}))[0]

    assert said == Trouble(Kind.ERROR, f"rule `{faulty}` over the answer: missing")


def test_a_body_with_all_texts_is_one_call() -> None:
    of = guard("http", rules=FIELDS, body='{"all": {texts}}')
    answer = ok({"f": True, "c": "bad", "t": ["1", "2"]})
    said, sent = talked(of, prompt("a", "b"), answer)

    assert body_of(sent[0]) == {"all": ["a", "b"]}
    assert said == Verdict((Hit("bad"),), {0: "1", 1: "2"})
