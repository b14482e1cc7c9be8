"""Small policies made by hand, and requests to try them with."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

from headrace.dsl.program import (
    Class,
    Guard,
    Model,
    Pool,
    Program,
    RequestValues,
    Rule,
    RuleFault,
    Share,
    When,
)
from headrace.dsl.source import Source, Span
from headrace.extensions.call import parse_call
from headrace.extensions.headers import Headers
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import Filter, Outcome, Request

V = TypeVar("V")

CHAT = b'{"model":"chatbot","messages":[{"role":"user","content":"hello"}]}'


def span(text: str = "x") -> Span:
    return Span(Source("test.sched", text), 0, len(text))


def when(text: str, test: Callable[[RequestValues], bool | RuleFault]) -> When:
    """Return the condition *test* on a request."""
    return When(Rule(text, span(text)), lambda request, pool, now_s: test(request))


def program(
    models: tuple[Model, ...] = (),
    classes: tuple[Class, ...] = (),
    guards: tuple[Guard, ...] = (),
    pools: tuple[str, ...] = ("gemma", "gemma-new", "llm-base"),
) -> Program:
    return Program(
        "digest",
        pools={name: Pool(name, span(), profile=None) for name in pools},
        models={model.name: model for model in models},
        classes=classes,
        guards=guards,
    )


def model(name: str, *routes: tuple[str, float, str | None], priority: int = 0) -> Model:
    """Return a model with *routes* of pool, share and rewrite."""
    shares = tuple(Share(pool, share, rewrite) for pool, share, rewrite in routes)
    return Model(name, span(), priority=priority, routes=shares)


def adapter(name: str, pool: str, profile: str | None = None) -> Model:
    return Model(
        name, span(), priority=5, routes=(Share(pool, 1.0),), adapter=True, profile=profile
    )


CHATBOT = model("chatbot", ("gemma", 0.9, None), ("gemma-new", 0.1, "gemma-3"), priority=10)
BATCH = Class("batch", when("batch", lambda r: r.headers.get("x-job") == "batch"), priority=-10)


def site(report: Callable[[Outcome], None] = lambda outcome: None) -> Site:
    return Site(Store(), report)


def request(
    body: bytes | None = CHAT,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    id: str = "r-1",
    **headers: str,
) -> Request:
    """Return a request as the exchange hands it to the first stage."""
    extra = ((name.replace("_", "-"), value) for name, value in headers.items())
    pairs = ((":method", method), (":path", path), *extra)
    call = None if not body else parse_call(path, headers.get("content_type", ""), body)
    return Request(id, Headers(pairs), body, call)


def changed(value: V, **fields: object) -> V:
    """Return *value*, a dataclass or a struct, with other *fields*."""
    # Any: the two libraries' types for what has fields.
    frozen: Any = value
    if isinstance(value, msgspec.Struct):
        return cast(V, msgspec.structs.replace(frozen, **fields))
    return cast(V, dataclasses.replace(frozen, **fields))


def opened(filter: Filter | None) -> Filter:
    assert filter is not None
    return filter
