"""Providers and readers for tests: a scripted provider, patterns that look by themselves, masks."""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from headrace.dsl.guarding import Guard, SafetyRule
from headrace.extensions.call import Api
from headrace.extensions.safety.contract import (
    Asked,
    Hit,
    Http,
    HttpReply,
    Judged,
    Judging,
    Kind,
    Reach,
    Together,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.post import Post, asking, looking
from headrace.extensions.safety.reads import Reads
from headrace.extensions.stage import Action, Asking, Effect, Now
from headrace.extensions.texts.copies import without_copies
from headrace.extensions.texts.patch import spliced
from headrace.extensions.texts.values import Channel, Passage, Piece, Said, Unreadable
from tests.extensions.body_router.policies import span

REMOTE = Reach()
WIDTH = 8
LOCAL = Reach(locates=True, local=True)
Judge = Callable[[Asked], Judged]


@dataclass(slots=True)
class Remote:
    """A provider that is asked by a call: it says *judge* of what the call was about."""

    judge: Judge
    reach: Reach = REMOTE
    name: str = "remote"
    asked: list[Asked] = field(default_factory=list[Asked])

    def screen(self, asked: Asked) -> Judging:
        self.asked.append(asked)
        return self._ask(asked)

    async def _ask(self, asked: Asked) -> Judged:
        reply = await Http("remote", "POST", "http://provider/check", timeout_s=60.0)
        return reply if isinstance(reply, Trouble) else self.judge(asked)


@dataclass(frozen=True, slots=True)
class Words:
    """A provider that looks by itself for an expression of at most `WIDTH` characters."""

    expression: str
    reach: Reach = LOCAL
    name: str = "words"

    def screen(self, asked: Asked) -> Verdict:
        return found_by(self.expression)(asked)

    def find(self, text: str) -> list[str]:
        return re.findall(self.expression, text)

    def settle(self, text: str, start: int, whole: bool) -> tuple[tuple[Hit, ...], int]:
        """Say what is certain of a growing text, as `contract.Local` promises it."""
        until = len(text) if whole else max(start, len(text) - WIDTH)
        hits = [
            Hit("word", 0, one.start(), one.end())
            for one in re.compile(self.expression).finditer(text, start)
        ]
        for one in reversed(hits):
            if one.end > until:
                until = min(until, max(start, one.start))
        return tuple(one for one in hits if one.end <= until), until


def found_by(expression: str, what: str = "word") -> Callable[[Asked], Verdict]:
    """Return a judge that says where in the texts *expression* is."""

    def judge(asked: Asked) -> Verdict:
        return Verdict(
            tuple(
                Hit(what, at, one.start(), one.end())
                for at, text in enumerate(asked.texts)
                for one in re.finditer(expression, text.text)
            )
        )

    return judge


def flagged_by(expression: str, what: str = "toxic") -> Callable[[Asked], Verdict]:
    """Return a judge that says whether *expression* is in the texts, not where."""

    def judge(asked: Asked) -> Verdict:
        bad = any(re.search(expression, text.text) for text in asked.texts)
        return Verdict((Hit(what),)) if bad else Verdict()

    return judge


def guard(name: str = "g", **fields: Any) -> Guard:
    """Return a guard of both directions. Any: whatever a Guard has."""
    fields.setdefault("inspect", frozenset(("prompt", "response")))
    return Guard(name, span(), **fields)


def words(name: str = "g", expression: str = "sarin", **fields: Any) -> Post:
    """Return a guard that looks by itself for *expression*. Any: as `guard`."""
    provider = Words(expression)
    return looking(guard(name, **fields), provider, provider.settle, provider.find, b"")


def remote(judge: Judge, name: str = "g", reach: Reach = REMOTE, **fields: Any) -> Post:
    """Return a guard that asks a provider. Any: as `guard`."""
    return asking(guard(name, **fields), Remote(judge, reach))


def desk(*posts: Post, rule: SafetyRule | None = None, **fields: Any) -> Desk:
    """Return the guards at their posts, with the readers of chats. Any: whatever a Desk has."""
    return Desk(posts, READS, rule or SafetyRule(), **fields)


@dataclass(slots=True)
class World:
    """Performs effects as a host does, one after the other, by a clock of its own.

    replies  what the provider's server answers, and after how long; once per call
    """

    now_s: float = 100.0
    took_s: float = 0.0
    reply: Callable[[Http], HttpReply | Trouble] = lambda http: HttpReply(200, {}, b"{}")
    calls: list[Http] = field(default_factory=list[Http])

    def run(self, asking: Action | Asking) -> Action:
        """Return what *asking* comes to."""
        if not isinstance(asking, Coroutine):
            return asking
        reply: object = None
        while True:
            try:
                effect: Effect[Any] = asking.send(reply)
            except StopIteration as end:
                result: Action = end.value
                return result
            reply = self.perform(effect)

    def perform(self, effect: Effect[Any]) -> object:
        match effect:
            case Now():
                return self.now_s
            case Together(effects):
                started_s, ends = self.now_s, [self.now_s]
                replies: list[object] = []
                for one in effects:
                    self.now_s = started_s
                    replies.append(self.perform(one))
                    ends.append(self.now_s)
                self.now_s = max(ends)
                return tuple(replies)
            case Http():
                self.calls.append(effect)
                if self.took_s > effect.timeout_s:
                    self.now_s += effect.timeout_s
                    return Trouble(Kind.TIMEOUT)
                self.now_s += self.took_s
                return self.reply(effect)
            case _:
                raise AssertionError(f"no such effect: {effect}")


def chat_passages(api: Api, body: bytes) -> tuple[Passage, ...]:
    """Return the texts of a chat, or the prompts of a completion."""
    value = _object(body)
    prompts = value.get("prompt", [])
    prompts = [prompts] if isinstance(prompts, str) else prompts
    found = [Passage("user", Said.PROSE, p, ("prompt", i), i) for i, p in enumerate(prompts)]
    for turn, message in enumerate(value.get("messages", [])):
        path = ("messages", turn, "content")
        found.append(Passage(message["role"], Said.PROSE, message["content"], path, turn))
    return tuple(found)


def chat_answer(api: Api, body: bytes) -> tuple[Passage, ...]:
    """Return the texts of a whole answer of a chat."""
    texts = [choice["message"]["content"] for choice in _choices(body)]
    return tuple(
        Passage("assistant", Said.PROSE, text, ("choices", i, "message", "content"))
        for i, text in enumerate(texts)
    )


CHANNELS = {
    "content": Said.PROSE,
    "said": Said.PROSE,
    "reasoning": Said.REASONING,
    "arguments": Said.TOOL_CALL,
}


def chat_pieces(api: Api, data: bytes) -> tuple[Piece, ...]:
    """Return the texts of one event of a chat; `said` in a delta is all of the text so far."""
    found: list[Piece] = []
    for i, choice in enumerate(_choices(data)):
        delta: dict[str, str] = choice.get("delta", {})
        for name, text in delta.items():
            if name in CHANNELS:
                channel = Channel(CHANNELS[name], choice.get("index", 0))
                path = ("choices", i, "delta", name)
                found.append(Piece(channel, text, path, repeats=name == "said"))
    return tuple(found)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unreadable("no JSON object") from error


def _choices(body: bytes) -> list[dict[str, Any]]:
    """Return the choices. Any: JSON."""
    choices = _object(body).get("choices")
    if not isinstance(choices, list):
        raise Unreadable("nothing of a chat")
    return cast("list[dict[str, Any]]", choices)


READS = Reads(chat_passages, chat_answer, chat_pieces, spliced, without_copies)
