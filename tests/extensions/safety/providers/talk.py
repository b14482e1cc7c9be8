"""A provider and scripted replies: values only, no server."""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from headrace.dsl.compiled import Rule
from headrace.dsl.guarding import AnswerRule, Guard, OnMatch, Provision
from headrace.extensions.call import Text
from headrace.extensions.safety.contract import (
    Asked,
    Context,
    Direction,
    Http,
    HttpReply,
    Judged,
    Rpc,
    Together,
    Trouble,
)
from headrace.extensions.safety.providers import remote
from tests.extensions.body_router.policies import span

Reply = HttpReply | Trouble
Values = tuple[tuple[str | float, str], ...]
URL = "http://provider.example"


def guard(
    provider: str,
    url: str = URL,
    secrets: Mapping[str, str] | None = None,
    rules: Mapping[str, Callable[[Any], object]] | None = None,
    **settings: Any,
) -> Guard:
    """Return a guard that asks *provider*; Any: a rule reads JSON of any shape."""
    values: dict[str, Values] = {
        name: value if isinstance(value, tuple) else ((value, ""),)
        for name, value in settings.items()
    }
    read = {name: AnswerRule(Rule(name, span()), rule) for name, rule in (rules or {}).items()}
    ask = Provision(provider, url, values, secrets=secrets or {}, rules=read)
    return Guard("g", span(), ask=ask, timeout_s=0.5, at_once=7, on_match=OnMatch.BLOCK)


def prompt(*texts: str) -> Asked:
    said = tuple(Text("user", text) for text in texts)
    return Asked(Direction.PROMPT, said, Context("m", "r"))


def response(*texts: str, asked: str = "") -> Asked:
    said = tuple(Text("assistant", text) for text in texts)
    conversation = (Text("user", asked),) if asked else ()
    return Asked(Direction.RESPONSE, said, Context("m", "r", conversation))


def ok(body: object) -> HttpReply:
    """Return the reply with *body* as JSON, or as it is if it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(200, {}, data)


def talked(of: Guard, asked: Asked, *replies: Reply) -> tuple[Judged, list[Http | Rpc]]:
    """Return what the provider of *of* says, given *replies*, and what it sent."""
    judging = remote(of).screen(asked)
    sent: list[Any] = []  # of an effect's own type
    if not isinstance(judging, Coroutine):
        return judging, sent
    left = list(replies)
    answer: object = None
    while True:
        try:
            effect = judging.send(answer)
        except StopIteration as end:
            assert not left, "all replies were asked for"
            verdict: Judged = end.value
            return verdict, sent
        if isinstance(effect, Together):
            sent += effect.effects
            answer = tuple(left.pop(0) for _ in effect.effects)
        else:
            sent.append(effect)
            answer = left.pop(0)


def body_of(call: Http | Rpc) -> Any:
    """Return the JSON that *call* sends; Any: of any shape."""
    http = call.call if isinstance(call, Rpc) else call
    return json.loads(http.body)
