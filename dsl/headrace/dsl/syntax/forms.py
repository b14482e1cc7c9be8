"""What each block can say, read off the grammar, and how each setting is written.

The words come from the grammar itself, so that no message can promise a setting that
does not exist; the examples of use are ours, and a test parses each of them.
"""

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from headrace.dsl.syntax.grammar import parser

USAGE: Mapping[tuple[str, str], str] = {
    ("pool", "endpoints"): 'endpoints "10.0.0.1:8000", "10.0.0.2:8000"',
    ("pool", "endpoint"): 'endpoint "10.0.0.1:8000" { zone "eu-1a"  labels tier = "gold" }',
    ("pool", "inferencepool"): 'inferencepool "gemma" namespace "serving"',
    ("pool", "select"): 'select app = "gemma"',
    ("pool", "port"): "port 8000",
    ("pool", "metrics"): "metrics vllm",
    ("pool", "gpu"): "gpu from dcgm",
    ("pool", "stale"): "stale after 2s, dead after 10s",
    ("pool", "adapters"): "adapters up to 4",
    ("pool", "profile"): "profile fast",
    ("pool", "speed"): "speed step 14ms, prefill 49us",
    ("pool", "wait"): "wait up to 30s for endpoints, at most 100",
    ("pool", "prefix"): "prefix blocks of 64 tokens",
    ("pool", "ranks"): "ranks behind port 8000",
    ("pool", "kv"): "kv events port 5557 replay port 5558",
    ("model", "priority"): "priority 10",
    ("model", "route"): "route 90% to gemma, 10% to gemma-new",
    ("model", "objective"): "objective ttft p95 < 400ms",
    ("model", "mirror"): "mirror 5% to gemma-lab",
    ("model", "adapter"): "adapter of llm-base",
    ("model", "profile"): "profile fast",
    ("model", "passthrough"): 'passthrough "/v1/audio/*"',
    ("model", "unscreened"): "unscreened",
    ("class", "priority"): "priority -10",
    ("class", "profile"): "profile fast",
    ("class", "fairness"): 'fairness by request.header("x-tenant")',
    ("class", "session"): 'session by request.cookie("chat")',
    ("profile", "require"): "require alive, has_room",
    ("profile", "prefer"): "prefer has_room",
    ("profile", "score"): "score 3 * prefix + 2 * kv_free",
    ("profile", "minimize"): "minimize first_token + 0.2 * disturbance",
    ("profile", "multiply"): "multiply prefix ^ 2 * kv_free",
    ("profile", "rank"): "rank by prefix within 10%, short_queue",
    ("profile", "also"): "also pick prefill by profile prefill when request.prompt_tokens > 512",
    ("profile", "refuse"): 'refuse when endpoint.prefix_match == 0.0 with 412 "not cached"',
    ("profile", "pick"): "pick max ties by endpoint.running",
    ("profile", "else"): "else profile spare",
    ("objective", "priority"): "priority -1",
    ("overload", "shed"): 'shed when request.priority < 0 with 429 "try again later"',
    ("overload", "evict"): "evict when request.priority < 0",
    ("overload", "queue"): "queue by request.priority for up to 2s, at most 1_000",
    ("guard", "patterns"): 'patterns "secret-[0-9]+"',
    ("guard", "template"): 'template "projects/acme/locations/eu/templates/chat"',
    ("guard", "detect"): "detect card, iban, email",
    ("guard", "deny"): 'deny "project bluebird"',
    ("guard", "response"): 'response template "projects/acme/locations/eu/templates/chat"',
    ("guard", "ask"): 'ask nemo "http://nemo:8000" { config "chat" }',
    ("guard", "inspect"): "inspect prompt, response",
    ("guard", "scope"): "scope new_turns",
    ("guard", "window"): "window 400 characters, overlap 100",
    ("guard", "stream"): "stream hold",
    ("guard", "at"): "at most 64 at once",
    ("guard", "cache"): "cache for 5min, at most 10_000",
    ("guard", "break"): "break after 5 failures for 10s",
    ("guard", "timeout"): "timeout 300ms",
    ("guard", "on"): 'on match block with 400 "blocked by safety policy"',
    ("safety", "guards"): "guards in parallel",
    ("safety", "block"): 'block when matched("armor") && matched("secrets")',
    ("safety", "inspect"): "inspect only",
    ("trace", "sample"): "sample 10%",
    ("trace", "always"): "always when response.status >= 500",
    ("trace", "attribute"): 'attribute tenant = request.header("x-tenant")',
    ("test", "expect"): "expect decision.shed",
}
OPENING: Mapping[str, str] = {
    "sched": "sched 1",
    "pool": 'pool gemma { endpoints "10.0.0.1:8000" }',
    "model": "model chatbot { route gemma }",
    "class": 'class nightly when request.header("x-job") == "batch" { priority -10 }',
    "filter": "filter alive = endpoint.ready",
    "scorer": "scorer kv_free = 1.0 - endpoint.kv_cache",
    "let": "let busy = endpoint.queue > 5",
    "cost": "cost first_token = endpoint.predicted_ttft",
    "profile": "profile default { score kv_free }",
    "objective": "objective batch { priority -1 }",
    "overload": "overload when pool.kv_cache > 80% { shed when request.priority < 0 }",
    "guard": 'guard secrets { patterns "secret-[0-9]+" }',
    "safety": "safety { guards in parallel }",
    "trace": "trace { sample 10% }",
    "trust": 'trust { objective from request.header("x-from") == "mesh" }',
    "chain": "chain default { body_router safety picker observability }",
    "import": 'import "pools.sched"',
}
# The shortest head of each block, to read its body where the head is beyond reading.
HEADS: Mapping[str, str] = {
    "pool": "pool x",
    "model": "model x",
    "class": "class x when 1",
    "profile": "profile x",
    "objective": "objective x",
    "overload": "overload when 1",
    "guard": "guard x",
    "safety": "safety",
    "trust": "trust",
    "chain": "chain x",
    "trace": "trace",
    "test": 'test "x"',
}
Runs = dict[str, str]


class _Symbol(Protocol):
    """A symbol of a rule, as Lark has it; a rule's name has no *filter_out*."""

    name: str
    is_term: bool


def settings(keyword: str) -> Mapping[str, str]:
    """Return what a block of that kind can say: the first word -> all its leading words.

    Empty for a block whose body is a list of names, and for one without a body.
    """
    return _blocks().get(keyword, {})


def words_of(terminal: str) -> str | None:
    """Return the word that *terminal* stands for, or None if it is no single word."""
    return _words().get(terminal)


def is_keyword(word: str) -> bool:
    """Return whether *word* is a word of the grammar."""
    return word in _words().values()


@functools.cache
def _words() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for terminal in parser().terminals:
        text = terminal.pattern.value
        if terminal.pattern.type == "str" and text.isidentifier():
            found[terminal.name] = text
    return found


@functools.cache
def _blocks() -> Mapping[str, Runs]:
    rules = defaultdict[str, list[Sequence[_Symbol]]](list)
    for rule in parser().rules:
        # Lark types a rule's origin and expansion loosely.
        rules[str(rule.origin.name)].append(cast(Sequence[_Symbol], rule.expansion))
    found: dict[str, Runs] = {}
    for expansions in list(rules.values()):
        for expansion in expansions:
            names = [symbol.name for symbol in expansion]
            keyword = next((w for n in names if (w := _words().get(n)) and w != "override"), None)
            if keyword is not None and keyword in HEADS and "LBRACE" in names:
                body = expansion[names.index("LBRACE") + 1 :]
                runs = found.setdefault(keyword, {})
                for run in _runs(body[:1], rules, set()):
                    runs[run[0]] = _common(runs.get(run[0]), run)
    return found


def _runs(
    symbols: Sequence[_Symbol], rules: Mapping[str, list[Sequence[_Symbol]]], seen: set[str]
) -> Iterator[list[str]]:
    """Yield the leading words of everything that may begin with the first of *symbols*."""
    for symbol in symbols[:1]:
        if symbol.is_term:
            run = _leading(symbols)
            if run:
                yield run
        elif symbol.name not in seen:
            seen.add(symbol.name)
            for expansion in rules[symbol.name]:
                yield from _runs(expansion, rules, seen)


def _leading(symbols: Sequence[_Symbol]) -> list[str]:
    words: list[str] = []
    for symbol in symbols:
        word = _words().get(symbol.name)
        if word is None or not getattr(symbol, "filter_out", False):
            break
        words.append(word)
    return words


def _common(before: str | None, run: Sequence[str]) -> str:
    """Return the words that *run* and the form found *before* begin with."""
    if before is None:
        return " ".join(run)
    shared: list[str] = []
    for a, b in zip(before.split(), run, strict=False):
        if a != b:
            break
        shared.append(a)
    return " ".join(shared)
