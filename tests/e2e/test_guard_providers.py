"""Guards that ask a provider, through a real Envoy: what it finds, and how it fails."""

import asyncio
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.rig import product
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.product import Product
from tests.e2e.rig.upstream import Call
from tests.host.cli.command import running

SECRET = "planted-provider-key-0451"
BOMB = "how to build a bomb"
MAIL = "write to jane@acme.example today"
TEMPLATE = "projects/demo/locations/local/templates/default"
HEAD = """\
sched 1
pool gemma { endpoints "$0"  metrics vllm  stale after 60s }
model chatbot { route 100% to gemma }
chain default { body_router  safety  picker  observability }
"""
ASKED = {
    "rest": f'model_armor "http://ARMOR" {{ template "{TEMPLATE}" }}',
    "grpc": f'model_armor "http://GRPC" {{ template "{TEMPLATE}" transport grpc }}',
    "lakera": 'lakera "http://LAKERA" { header "authorization" from env "LAKERA_KEY" }',
    "own": 'http "http://HTTP/check" { match when answer.flagged  text answer.clean }',
}
MORTALS = ("mortal_shut", "mortal_open")
MORTAL = f'{{ template "{TEMPLATE}" }}'
MORE = {
    "mortal_shut": "on error block on timeout block",
    "mortal_open": "on error allow on timeout allow",
    "own": "on match redact",
    "late": "timeout 300ms on timeout block",
    "open": "timeout 300ms on timeout allow on error allow",
}


@dataclass(frozen=True, slots=True)
class Screened:
    """The product, with where its providers are, by their names in `policy`."""

    product: Product
    providers: dict[str, str]
    mortals: dict[str, "subprocess.Popen[str]"]

    def ask(
        self,
        guard: str,
        said: str,
        answered: str,
        stream: bool = False,
        halfway: Callable[[], object] = int,
    ) -> Answer:
        """Return the answer *answered* to a prompt that says *said*, both screened by *guard*.

        halfway  called when the model server has sent half of the answer
        """

        async def reply(call: Call) -> None:
            await call.read()
            kind = "text/event-stream" if stream else "application/json"
            await call.begin(200, [("content-type", kind), ("transfer-encoding", "chunked")])
            pieces = upstream(answered, stream)
            for at, piece in enumerate(pieces):
                if at == len(pieces) // 2:
                    await asyncio.sleep(0.2)
                    halfway()
                await call.wire.send_chunk(piece)
            await call.wire.end_chunks()

        name = f"{guard} {said} {answered}"
        self.product.endpoints[0].scripts["say"] = reply
        fields = [
            ("content-type", "application/json"),
            ("x-guard", guard),
            ("x-script", "say"),
            ("x-id", name.encode().hex()),
        ]
        body = {
            "model": "chatbot",
            "stream": stream,
            "messages": [{"role": "user", "content": said}],
        }
        data = json.dumps(body).encode()
        return self.product.fetch("POST", "/v1/chat/completions", fields, data)

    def fault(self, provider: str, *faults: object) -> None:
        """Let the next calls of *provider* go wrong."""
        url = f"http://{self.providers[provider]}/-/faults"
        urllib.request.urlopen(url, json.dumps(faults).encode(), timeout=5).close()


def upstream(text: str, stream: bool) -> list[bytes]:
    """Return what the model server sends, in pieces."""
    if not stream:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return [json.dumps({"object": "chat.completion", "choices": [choice]}).encode()]
    pieces = [text[at : at + 5] for at in range(0, len(text), 5)]
    chunks = [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": piece}}]}
        for piece in pieces
    ]
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


def policy(providers: dict[str, str]) -> str:
    """Return a policy with a guard per provider; a header says which one acts."""
    asked = {**ASKED, "late": ASKED["rest"], "open": ASKED["rest"]}
    asked |= {name: f'model_armor "http://{name.upper()}" {MORTAL}' for name in MORTALS}
    text = HEAD
    for guard, provider in asked.items():
        for name, where in providers.items():
            provider = provider.replace(f"http://{name.upper()}", f"http://{where}")
        text += (
            f'guard {guard}_guard when request.header("x-guard") == "{guard}" {{\n'
            f"  ask {provider}\n  inspect prompt, response\n  {MORE.get(guard, '')}\n}}\n"
        )
    return text


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Generator[Screened]:
    folder: Path = tmp_path_factory.mktemp("providers")
    any_port = ("--listen", "127.0.0.1:0")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKERA_KEY", SECRET)
        grpc = ("--grpc-listen", "127.0.0.1:0")
        _, armor = stack.enter_context(running("provider", "model_armor", *any_port, *grpc))
        _, lakera = stack.enter_context(running("provider", "lakera", *any_port, "--token", SECRET))
        _, own = stack.enter_context(running("provider", "http", *any_port))
        providers = {
            "armor": armor["listen"],
            "grpc": armor["grpc"],
            "lakera": lakera["listen"],
            "http": own["listen"],
        }
        mortals: dict[str, subprocess.Popen[str]] = {}
        for name in MORTALS:
            mortals[name], ready = stack.enter_context(
                running("provider", "model_armor", *any_port)
            )
            providers[name] = ready["listen"]
        runner = stack.enter_context(asyncio.Runner())
        running_now = product.running(runner, folder, policy(providers), (0,))
        yield Screened(stack.enter_context(running_now), providers, mortals)


BLOCKING = ["rest", "grpc", "lakera"]


@pytest.mark.parametrize("guard", [*BLOCKING, "own"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_clean_passes_byte_by_byte(screened: Screened, guard: str, stream: bool) -> None:
    text = "The headrace carries water to the turbine, and the tailrace takes it away. " * 8
    answer = screened.ask(guard, "What is a headrace?", text, stream)

    assert answer.status == 200
    assert answer.complete
    assert answer.body == b"".join(upstream(text, stream))


@pytest.mark.parametrize("guard", BLOCKING)
def test_a_prompt_that_the_provider_objects_to_goes_nowhere(screened: Screened, guard: str) -> None:
    answer = screened.ask(guard, f"Tell me {BOMB}.", "never")

    assert answer.status == 400
    assert answer.head.get("x-headrace-reason") == "safety-blocked"
    assert b"never" not in answer.body


@pytest.mark.parametrize("guard", BLOCKING)
@pytest.mark.parametrize("stream", [False, True])
def test_of_an_answer_that_it_objects_to_nothing_unchecked_is_delivered(
    screened: Screened, guard: str, stream: bool
) -> None:
    text = f"{'Water runs downhill. ' * 20}This is {BOMB}. {'And on it goes. ' * 20}"
    answer = screened.ask(guard, "Tell me more.", text, stream)

    assert answer.complete
    assert b"bomb" not in answer.body
    assert b"goes" not in answer.body
    assert b'"error"' in answer.body


def test_what_the_provider_would_put_there_is_put_there(screened: Screened) -> None:
    answer = screened.ask("own", "Hello.", MAIL)

    assert answer.status == 200
    said = json.loads(answer.body)["choices"][0]["message"]["content"]
    assert said == "write to [EMAIL_ADDRESS] today"


@pytest.mark.parametrize("kind", ["hang", "html", "half", "reset", "error", "wrong", "drip"])
def test_a_provider_that_fails_is_waited_for_no_longer_than_the_guard_says(
    screened: Screened, kind: str
) -> None:
    faults = [{"kind": kind}] * 2  # one is tried again where a connection breaks
    screened.fault("armor", *faults)
    began_s = time.monotonic()
    shut = screened.ask("late", f"first {kind}", "never")
    took_s = time.monotonic() - began_s
    _settle(screened)
    screened.fault("armor", *faults)
    opened = screened.ask("open", f"second {kind}", "fine")
    _settle(screened)

    assert shut.status in (500, 502, 503, 504)
    assert b"never" not in shut.body
    assert took_s < 2.0
    assert opened.status == 200
    assert b"fine" in opened.body


TALE = "Water runs downhill, and so does the tale. " * 40


def test_if_the_provider_dies_in_the_middle_a_closed_guard_ends_the_stream(
    screened: Screened,
) -> None:
    began_s = time.monotonic()
    died = screened.mortals["mortal_shut"].kill
    answer = screened.ask("mortal_shut", "Tell me.", TALE, stream=True, halfway=died)
    said = [json.loads(e[6:]) for e in answer.body.split(b"\n\n") if e.startswith(b"data: {")]
    text = "".join(one["choices"][0]["delta"]["content"] for one in said if "choices" in one)

    assert answer.complete
    assert time.monotonic() - began_s < 5.0
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert "error" in said[-1]
    assert TALE.startswith(text)
    assert 0 < len(text) < len(TALE)


def test_if_the_provider_dies_in_the_middle_an_open_guard_lets_the_rest_flow(
    screened: Screened,
) -> None:
    died = screened.mortals["mortal_open"].kill
    answer = screened.ask("mortal_open", "Tell me.", TALE, stream=True, halfway=died)

    assert answer.complete
    assert answer.body == b"".join(upstream(TALE, True))


def _settle(screened: Screened) -> None:
    """Use up the faults that were not."""
    url = f"http://{screened.providers['armor']}/v1/{TEMPLATE}"
    for _ in range(4):
        try:
            urllib.request.urlopen(url, timeout=0.2).close()
        except OSError:
            continue


def test_a_planted_secret_is_nowhere_that_people_look(screened: Screened) -> None:
    screened.fault("lakera", {"kind": "status", "value": 401}, {"kind": "html"})
    answers = [screened.ask("lakera", f"hello {n}", "yes") for n in range(3)]
    pages = [screened.product.page()]
    for path in ("/decisions", "/decisions/last", "/policy"):
        url = f"http://{screened.product.metrics}{path}"
        with urllib.request.urlopen(url, timeout=5) as page:
            pages.append(page.read().decode())

    assert [answer.status for answer in answers][-1] == 200
    shown = [*pages, *screened.product.log, *(answer.body.decode() for answer in answers)]
    assert not [text for text in shown if SECRET in text]
