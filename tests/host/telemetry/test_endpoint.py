import asyncio
import json

import aiohttp

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
    assert json.loads(listed[2])[0]["chosen"] == "10.0.0.1:8000"
    assert "10.0.0.1:8000" in last[2]
    assert last[1].startswith("text/plain")
