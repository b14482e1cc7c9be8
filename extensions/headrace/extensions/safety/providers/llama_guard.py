"""Llama Guard on any OpenAI-compatible server: a model that answers `safe`, or `unsafe` and why.

Source: the model cards of Llama Guard 3 and 4: the first line says which, the second has the
categories, `S1` to `S14` of the MLCommons taxonomy, with commas between.
"""

import re
from typing import Annotated

from msgspec import Meta, Struct

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.contract import Hit, Http, Judged, Provider, Reach, Trouble, Verdict
from headrace.extensions.safety.providers.asking import Replied, caller, failed, read, word
from headrace.extensions.safety.providers.each import AT_ONCE_MAX, Each, Single, messages_of
from headrace.extensions.safety.providers.settings import Settings

REACH = Reach(chars_max=30_000, texts_max=AT_ONCE_MAX)
ANSWER_TOKENS_MAX = 64  # the verdict has some ten
CUT = "length"  # the finish reason of an answer that had no room
WORDS = re.compile(r"[^\s,]+")
SAFE = Verdict()


class Message(Struct):
    """What the model said."""

    content: str


class Choice(Struct):
    """One answer, and why it ended there."""

    message: Message
    finish_reason: str | None = None


class Completion(Struct):
    """A chat completion, as far as it is looked at."""

    choices: Annotated[list[Choice], Meta(min_length=1)]


def llama_guard(guard: Guard) -> Provider:
    """Return the provider that asks the model that *guard* names.

    With `categories`, only these count; an `unsafe` that names none counts always.
    """
    settings, http = Settings(guard), caller(guard, bearer=True)
    model = settings.text("model", "meta-llama/Llama-Guard-3-8B")
    counted = frozenset(settings.texts("categories"))

    def ask(single: Single) -> Http:
        body = {
            "model": model,
            "messages": messages_of(single),
            "temperature": 0,
            "max_tokens": ANSWER_TOKENS_MAX,
            "stream": False,
        }
        return http.post("/v1/chat/completions", body)

    return Each("llama_guard", REACH, ask, lambda reply, single: judge(reply, single, counted))


def judge(reply: Replied, single: Single, counted: frozenset[str]) -> Judged:
    """Return what the model says of one text."""
    answer = read(reply, Completion)
    if isinstance(answer, Trouble):
        return answer
    said = [word(one) for one in WORDS.findall(answer.choices[0].message.content)]
    if said == ["safe"]:
        return SAFE
    if said[:1] != ["unsafe"]:
        return failed("it says neither `safe` nor `unsafe`: is the model a Llama Guard?")
    categories = said[1:]
    if answer.choices[0].finish_reason == CUT:
        categories.append("unsafe")  # there may be more: what counts may be among them
    matched = [c for c in categories if not counted or c in counted or c == "unsafe"]
    if categories and not matched:
        return SAFE
    return Verdict(tuple(Hit(category, single.at) for category in matched or ["unsafe"]))
