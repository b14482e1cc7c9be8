import asyncio
import json

import aiohttp
import msgspec

from headrace.extensions.reasons import Reason
from headrace.host.explain.story import Story
from headrace.host.telemetry.endpoint import OperatorEndpoint
from headrace.host.telemetry.telemetry import Telemetry
from tests.host.telemetry import outcomes

Answer = tuple[int, str, str]


def ask(telemetry: Telemetry, *paths: str, ready: bool = True, accept: str = "*/*") -> list[Answer]:
    """Return status, content type and text for each of *paths*."""

    async def go() -> list[Answer]:
        endpoint = OperatorEndpoint(telemetry, lambda: ready)
        port = await endpoint.start("127.0.0.1", 0)
        answers: list[Answer] = []
        try:
            async with aiohttp.ClientSession(headers={"accept": accept}) as session:
                for path in paths:
                    async with session.get(f"http://127.0.0.1:{port}{path}") as got:
                        kind = got.headers["content-type"]
                        answers.append((got.status, kind, await got.text()))
        finally:
            await endpoint.stop()
        return answers

    return asyncio.run(go())


def test_metrics_are_served_in_both_formats() -> None:
    telemetry = Telemetry(0.0)
    telemetry.report(outcomes.served())
    ((status, kind, text),) = ask(telemetry, "/metrics")
    ((_, open_kind, open_text),) = ask(telemetry, "/metrics", accept="application/openmetrics-text")

    assert status == 200
    assert kind.startswith("text/plain")
    assert (
        'headrace_requests_total{model="chatbot",pool="gemma",reason="",status="200"} 1.0' in text
    )
    assert open_kind.startswith("application/openmetrics-text")
    assert open_text.endswith("# EOF\n")


def test_health_and_readiness_differ() -> None:
    up = ask(Telemetry(0.0), "/healthz", "/readyz")
    draining = ask(Telemetry(0.0), "/healthz", "/readyz", ready=False)

    assert [status for status, _, _ in up] == [200, 200]
    assert [status for status, _, _ in draining] == [200, 503]


def test_decisions_can_be_asked_for() -> None:
    telemetry = Telemetry(0.0)
    none = ask(telemetry, "/decisions", "/decisions/last")
    telemetry.report(outcomes.served())
    (listed, last) = ask(telemetry, "/decisions", "/decisions/last")

    assert (none[0][0], none[0][2]) == (200, "[]")
    assert none[1][0] == 404
    row = json.loads(listed[2])[0]
    assert (row["chosen"], row["status"], row["reason"]) == ("10.0.0.1:8000", 200, "")
    assert "10.0.0.1:8000" in last[2]
    assert last[1].startswith("text/plain")


def test_the_last_decision_says_if_the_client_was_told_otherwise() -> None:
    telemetry = Telemetry(0.0)
    refused = {"status": 412, "reason": Reason.REFUSED, "message": "nothing of it is cached"}
    telemetry.report(outcomes.changed(outcomes.served(), **refused))
    ((_, _, text),) = ask(telemetry, "/decisions/last")

    assert "10.0.0.1:8000" in text
    assert text.endswith("answered 412 refused: nothing of it is cached\n")


def test_exchanges_are_chosen_by_model_pool_and_reason_and_every_end_is_among_them() -> None:
    telemetry = Telemetry(0.0)
    for ended in (outcomes.served(), outcomes.shed(), outcomes.unknown(), outcomes.failed()):
        telemetry.report(ended)
    asked = ("", "?reason=shed", "?model=gpt-9", "?pool=gemma&limit=1", "?pool=nowhere")
    answers = ask(telemetry, *(f"/decisions{query}" for query in asked))
    rows = [json.loads(text) for _, _, text in answers]

    assert [[row["status"] for row in found] for found in rows] == [
        [0, 404, 429, 200],
        [429],
        [404],
        [429],
        [],
    ]
    assert rows[0][1]["request"] == "r-\udcff"  # bytes that were no UTF-8 do not break the page


def test_what_cannot_be_asked_for_is_said() -> None:
    answers = ask(Telemetry(0.0), *(f"/decisions?{q}" for q in ("modle=a", "limit=0", "limit=x")))

    assert [status for status, _, _ in answers] == [400] * 3
    assert "unknown parameter `modle`; known: `model`, `pool`, `reason`, `limit`" in answers[0][2]
    assert "`limit` is not a whole number of 1 to 1000" in answers[1][2]


def test_one_exchange_is_told_by_its_id_or_its_beginning() -> None:
    telemetry = Telemetry(0.0)
    telemetry.report(outcomes.served())
    whole, begun, missing = ask(telemetry, "/decisions/r-0", "/decisions/r", "/decisions/x")
    story = msgspec.json.decode(whole[2], type=Story)

    assert (story.id, story.pool, story.endpoint) == ("r-0", "gemma", "10.0.0.1:8000")
    assert begun[2] == whole[2]
    assert missing[0] == 404
