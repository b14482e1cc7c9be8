from typing import Any

import pytest

from headrace.extensions.call import Text
from headrace.extensions.safety.contract import (
    Asked,
    Context,
    Direction,
    Hit,
    Judged,
    Kind,
    Rpc,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers.model_armor import CHARS_MAX
from tests.extensions.safety.providers.talk import body_of, guard, ok, prompt, response, talked

CHAT = "projects/acme/locations/europe-west4/templates/chat"
CODE = "projects/acme/locations/us-central1/templates/code"
OF = guard("model_armor", template=CHAT)
GRIN = "\N{GRINNING FACE}"


def result(
    match: str = "MATCH_FOUND",
    invocation: str = "SUCCESS",
    metadata: dict[str, object] | None = None,
    **filters: Any,
) -> Any:
    """Return a whole answer; Any: JSON."""
    inner = {
        "filterMatchState": match,
        "filterResults": filters,
        "invocationResult": invocation,
        "sanitizationMetadata": metadata or {},
    }
    return {"sanitizationResult": inner}


def verdict(answer: object, text: str = "some text") -> Judged:
    return talked(OF, prompt(text), ok(answer))[0]


def matched(**fields: object) -> dict[str, object]:
    return {"executionState": "EXECUTION_SUCCESS", "matchState": "MATCH_FOUND", **fields}


def sdp(*findings: object, **more: object) -> dict[str, object]:
    return {"sdpFilterResult": {"inspectResult": matched(findings=list(findings), **more)}}


def finding(kind: str, **location: object) -> dict[str, object]:
    return {"infoType": kind, "likelihood": "LIKELY", "location": location}


def test_a_prompt_is_sent_to_its_templates_own_region() -> None:
    _, sent = talked(guard("model_armor", "", template=CHAT), prompt("hello"), ok(result()))
    call: Any = sent[0]

    region = "https://modelarmor.europe-west4.rep.googleapis.com"
    assert call.url == f"{region}/v1/{CHAT}:sanitizeUserPrompt"
    assert (call.method, body_of(call)) == ("POST", {"userPromptData": {"text": "hello"}})
    assert call.google


def test_a_response_goes_with_the_end_of_its_question() -> None:
    _, sent = talked(OF, response("so", asked="q" * 5_000), ok(result()))
    call: Any = sent[0]

    assert call.url.endswith(f"{CHAT}:sanitizeModelResponse")
    assert body_of(call) == {"modelResponseData": {"text": "so"}, "userPrompt": "q" * 4_000}
    assert "userPrompt" not in body_of(talked(OF, response("so"), ok(result()))[1][0])


@pytest.mark.parametrize(
    ("url", "secrets", "google"),
    [
        ("", {}, True),
        ("https://armor.example", {}, True),
        ("http://127.0.0.1:1", {}, False),
        ("https://armor.example", {"Authorization": "KEY"}, False),
    ],
)
def test_a_token_of_google_goes_over_tls_only_and_not_beside_another(
    url: str, secrets: dict[str, str], google: bool
) -> None:
    of = guard("model_armor", url, secrets, template=CHAT)
    call: Any = talked(of, prompt("x"), ok(result()))[1][0]

    assert call.google is google


@pytest.mark.parametrize(
    ("model", "direction", "template"),
    [
        ("code", Direction.PROMPT, CODE),
        ("code", Direction.RESPONSE, CHAT),
        ("other", Direction.PROMPT, CHAT),
        ("other", Direction.RESPONSE, CHAT.replace("chat", "answers")),
        ("", Direction.PROMPT, CHAT),
    ],
)
def test_a_model_has_its_template_or_the_one_of_all_the_others(
    model: str, direction: Direction, template: str
) -> None:
    of = guard(
        "model_armor",
        template=((CODE, "code"), (CHAT, "")),
        response_template=((CHAT, "code"), (CHAT.replace("chat", "answers"), "")),
    )
    asked = Asked(direction, (Text("user", "x"),), Context(model))
    call: Any = talked(of, asked, ok(result()))[1][0]

    assert f"/v1/{template}:" in call.url


def test_without_a_template_of_its_own_an_answer_is_judged_by_the_prompts() -> None:
    of = guard("model_armor", template=((CODE, "code"), (CHAT, "")))
    asked = Asked(Direction.RESPONSE, (Text("assistant", "x"),), Context("code"))
    call: Any = talked(of, asked, ok(result()))[1][0]

    assert f"/v1/{CODE}:sanitizeModelResponse" in call.url


def test_a_guard_of_answers_needs_no_template_for_prompts() -> None:
    of = guard("model_armor", response_template=CHAT)
    call: Any = talked(of, response("x"), ok(result()))[1][0]

    assert f"/v1/{CHAT}:" in call.url
    assert isinstance(talked(of, prompt("x"))[0], Trouble)


def test_by_grpc_the_template_is_in_the_body_and_windows_share_a_stream() -> None:
    of = guard("model_armor", "", template=CHAT, transport="grpc")
    call: Any = talked(of, prompt("x"), ok(result()))[1][0]
    context = Context("m", "r-9")
    asked = Asked(Direction.RESPONSE, (Text("assistant", "x"),), context, streamed=True)
    window: Any = talked(of, asked, ok(result()))[1][0]
    question = Context("m", "r-9", (Text("user", "?"),))  # of another, who chose the same name
    another = Asked(Direction.RESPONSE, (Text("assistant", "x"),), question, streamed=True)
    other: Any = talked(of, another, ok(result()))[1][0]
    nameless: Any = talked(of, replace_context(asked), ok(result()))[1][0]

    assert isinstance(call, Rpc)
    assert (call.method, call.stream) == ("SanitizeUserPrompt", "")
    assert call.call.url == "https://modelarmor.europe-west4.rep.googleapis.com"
    assert body_of(call) == {"name": CHAT, "userPromptData": {"text": "x"}}
    assert window.method == "StreamSanitizeModelResponse"
    assert window.stream.startswith("r-9 response ")
    assert window.stream != other.stream
    assert body_of(window)["streamingMode"] == "STREAMING_MODE_REALTIME"
    assert (nameless.method, nameless.stream) == ("SanitizeModelResponse", "")


def replace_context(asked: Asked) -> Asked:
    """Return *asked* of an exchange without a name."""
    return Asked(asked.direction, asked.texts, Context("m"), asked.streamed)


def test_nothing_found_is_clear() -> None:
    assert verdict(result("NO_MATCH_FOUND")) == Verdict()


@pytest.mark.parametrize(
    ("filters", "hits"),
    [
        ({}, (Hit("model_armor", 0),)),
        ({"csam": {"csamFilterFilterResult": matched()}}, (Hit("csam", 0),)),
        ({"virus_scan": {"virusScanFilterResult": matched()}}, (Hit("virus_scan", 0),)),
        (
            {"pi_and_jailbreak": {"piAndJailbreakFilterResult": matched(confidenceLevel="HIGH")}},
            (Hit("pi_and_jailbreak", 0),),
        ),
        ({"of_2027": {"newFilterResult": {"deep": [matched()]}}}, (Hit("of_2027", 0),)),
        (
            {
                "rai": {
                    "raiFilterResult": matched(
                        raiFilterTypeResults={
                            "dangerous": {"matchState": "MATCH_FOUND"},
                            "violence": {"matchState": "MATCH_FOUND"},
                            "harassment": {"matchState": "NO_MATCH_FOUND"},
                        }
                    )
                }
            },
            (Hit("rai/dangerous", 0), Hit("rai/violence", 0)),
        ),
        ({"rai": {"raiFilterResult": matched()}}, (Hit("rai", 0),)),
        (
            {"image": {"sdpFilterResult": {"redactResult": matched(redactedImage="AA==")}}},
            (Hit("image", 0),),
        ),
        (
            {"sdp": {"sdpFilterResult": {"deidentifyResult": matched()}}},
            (Hit("sdp", 0),),
        ),
    ],
)
def test_every_filter_that_matches_is_a_hit_known_or_not(
    filters: dict[str, Any], hits: tuple[Hit, ...]
) -> None:
    assert verdict(result(**filters)) == Verdict(hits)


def test_a_filter_that_matches_counts_though_the_whole_says_no() -> None:
    lying = result("NO_MATCH_FOUND", csam={"csamFilterFilterResult": matched()})

    assert verdict(lying) == Verdict((Hit("csam", 0),))


def test_a_text_that_quotes_an_answer_is_no_answer() -> None:
    clean = {"executionState": "EXECUTION_SUCCESS", "matchState": "NO_MATCH_FOUND"}
    quoting = {"messageItems": [{"message": '"matchState": "MATCH_FOUND"'}], **clean}

    assert verdict(result("NO_MATCH_FOUND", x={"y": quoting})) == Verdict()


@pytest.mark.parametrize(
    ("location", "span"),
    [
        ({"codepointRange": {"start": "2", "end": "6"}}, (2, 6)),
        ({"codepointRange": {"end": 4}}, (0, 4)),
        ({"byteRange": {"start": "5", "end": "9"}}, (2, 6)),
        (
            {
                "byteRange": {"start": "5", "end": "9"},
                "codepointRange": {"start": "2", "end": "6"},
            },
            (2, 6),
        ),
        ({"byteRange": {"start": "1", "end": "9"}}, (0, 0)),  # begins within a character
        ({"byteRange": {"start": "5", "end": "900"}}, (0, 0)),
        ({"codepointRange": {"start": "6", "end": "2"}}, (0, 0)),
        ({"codepointRange": {"start": "-2", "end": "2"}}, (0, 0)),
        ({"codepointRange": {"start": "two", "end": "2"}}, (0, 0)),
        ({}, (0, 0)),
    ],
)
def test_a_place_is_in_characters_and_one_that_cannot_be_is_the_whole_text(
    location: dict[str, object], span: tuple[int, int]
) -> None:
    text = f"{GRIN} 1234 there"

    assert verdict(result(sdp=sdp(finding("CARD", **location))), text) == Verdict(
        (Hit("sdp/CARD", 0, *span),)
    )


def test_places_of_bytes_in_ascii_are_places_of_characters() -> None:
    ranged = finding("CARD", byteRange={"start": "2", "end": "6"})

    assert verdict(result(sdp=sdp(ranged)), "a 1234") == Verdict((Hit("sdp/CARD", 0, 2, 6),))


@pytest.mark.parametrize(
    ("places", "span"),
    [
        ([{"start": "2", "end": "12"}], (2, 12)),
        ([{"start": "5", "end": "15"}], (2, 12)),  # in bytes
        ([{"start": "1", "end": "3"}], (0, 0)),
        ([], (0, 0)),
    ],
)
def test_a_bad_address_has_the_place_where_it_stands(
    places: list[object], span: tuple[int, int]
) -> None:
    item = {"uri": "http://bad", "locations": places}
    uris = {"maliciousUriFilterResult": matched(maliciousUriMatchedItems=[item])}

    assert verdict(result(malicious_uris=uris), f"{GRIN} http://bad") == Verdict(
        (Hit("malicious_uris", 0, *span),)
    )


def cleaned(text: str | None = "[X]", **more: object) -> dict[str, object]:
    return {"sdpFilterResult": {"deidentifyResult": matched(data={"text": text}, **more)}}


def test_a_deidentified_text_stands_in_the_place_of_its_own() -> None:
    of_two = talked(
        guard("model_armor", template=CHAT),
        prompt("x" * CHARS_MAX, "my secret"),
        ok(result("NO_MATCH_FOUND")),
        ok(result(sdp=cleaned(infoTypes=["A", "B"]))),
    )[0]

    assert of_two == Verdict((Hit("sdp/A", 1), Hit("sdp/B", 1)), {1: "[X]"})
    assert verdict(result(sdp=cleaned())) == Verdict((Hit("sdp/deidentified", 0),), {0: "[X]"})
    assert verdict(result(sdp=cleaned(""))) == Verdict((Hit("sdp/deidentified", 0),), {0: ""})


def test_a_rewrite_beside_another_match_is_not_given() -> None:
    both = result(sdp=cleaned(infoTypes=["A"]), csam={"csamFilterFilterResult": matched()})

    assert verdict(both) == Verdict((Hit("csam", 0), Hit("sdp/A", 0)))


LENIENT: dict[str, object] = {"ignorePartialInvocationFailures": True}
SKIPPED = {"executionState": "EXECUTION_SKIPPED", "matchState": "NO_MATCH_FOUND"}


@pytest.mark.parametrize(
    ("answer", "partial"),
    [
        (result("NO_MATCH_FOUND", "PARTIAL"), "invocation result PARTIAL"),
        (result("NO_MATCH_FOUND", ""), "invocation result unnamed"),
        (result("NO_MATCH_FOUND", "NEW"), "invocation result NEW"),
        (result("NO_MATCH_FOUND", "PARTIAL", x={"y": SKIPPED}), "x skipped"),
        (result("NO_MATCH_FOUND", "SUCCESS", x={"y": SKIPPED}), "x skipped"),
        (result("NO_MATCH_FOUND", "PARTIAL", LENIENT), ""),
        (result("NO_MATCH_FOUND", "PARTIAL", LENIENT, x={"y": SKIPPED}), ""),
        (
            result(sdp=sdp(finding("A"), findingsTruncated=True), metadata=LENIENT),
            "sdp findings truncated",
        ),
    ],
)  # fmt: skip
def test_what_was_not_looked_at_is_partial(answer: object, partial: str) -> None:
    said = verdict(answer)

    assert isinstance(said, Verdict)
    assert said.partial == partial


@pytest.mark.parametrize(
    ("metadata", "code", "message"),
    [
        ({"errorCode": "499", "errorMessage": "no"}, "499", "no"),
        ({"errorCode": 499}, "499", ""),
        ({"errorCode": "0", "errorMessage": ""}, "", ""),
        ({"errorCode": 0}, "", ""),
        ({"errorMessage": "m" * 5_000}, "", "m" * 1_024),
    ],
)
def test_the_error_of_the_template_is_told(
    metadata: dict[str, object], code: str, message: str
) -> None:
    said = verdict(result(metadata=metadata))

    assert isinstance(said, Verdict)
    assert (said.code, said.message) == (code, message)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"sanitizationResult": {}},
        {"sanitizationResult": {"filterMatchState": "FILTER_MATCH_STATE_UNSPECIFIED"}},
        {"sanitizationResult": {"filterMatchState": 2}},
        {"sanitizationResult": {"filterMatchState": "NO_MATCH_FOUND", "filterResults": []}},
        result("NO_MATCH_FOUND", "FAILURE"),
        result(sdp=7),
        result(sdp={"sdpFilterResult": []}),
        result(rai={"raiFilterResult": {"raiFilterTypeResults": ["x"]}}),
    ],
)
def test_what_is_no_result_is_trouble(answer: object) -> None:
    said = verdict(answer)

    assert isinstance(said, Trouble)
    assert said.kind is Kind.ERROR
