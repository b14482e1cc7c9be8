"""Any HTTP API: a body from a template, and rules over its JSON answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headrace.dsl.guarding import AnswerRule, Guard
from headrace.dsl.values import RuleFault
from headrace.extensions.safety.contract import (
    Asked,
    Hit,
    Http,
    Judged,
    Judging,
    Provider,
    Reach,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers.asking import (
    Caller,
    ProviderFault,
    ask_all,
    caller,
    combined,
    failed,
    provision_of,
    read,
    word,
)
from headrace.extensions.safety.providers.each import AT_ONCE_MAX
from headrace.extensions.safety.providers.settings import Settings

DEFAULT_BODY = '{"text": {text}, "direction": {direction}}'
NAMES = ("text", "texts", "direction", "model", "role", "id")
HOLE = re.compile(r"\{(" + "|".join(NAMES) + r")\}")
METHODS = frozenset({"POST", "PUT"})


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON text with holes; *parts* are text and the name of a hole, in turn."""

    parts: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether one body has all texts."""
        return "texts" in self.parts[1::2]

    def filled(self, asked: Asked, at: int) -> bytes:
        """Return the body about the text *at* of *asked*, or about all if it has a hole for them.

        Only values are put in, each as JSON: no text can change the body's structure.
        """
        text, context = asked.texts[at], asked.context
        values: dict[str, Any] = {
            "text": text.text,
            "texts": [one.text for one in asked.texts],
            "direction": asked.direction.value,
            "model": context.model,
            "role": text.role,
            "id": context.exchange_id,
        }
        made = [
            msgspec.json.encode(values[part]) if index % 2 else part.encode()
            for index, part in enumerate(self.parts)
        ]
        return b"".join(made)


def template(guard: Guard, text: str) -> Template:
    """Return *text* as a template.

    Raises:
        ProviderFault: filled, it is no JSON, or it has no hole for what is to be judged.
    """
    parts = tuple(HOLE.split(text))
    holes = set(parts[1::2])
    if not holes & {"text", "texts"} or {"text", "texts"} <= holes:
        raise ProviderFault(guard, "`body` needs one of `{text}` and `{texts}`")
    try:
        msgspec.json.decode("".join('""' if i % 2 else part for i, part in enumerate(parts)))
    except msgspec.DecodeError as error:
        why = "`body` is no JSON once its holes are filled; write them without quotes"
        raise ProviderFault(guard, why) from error
    return Template(parts)


@dataclass(frozen=True, slots=True)
class Screen:
    """Asks the API, once per text or once for all, and reads its answers by rules.

    match     whether an answer objects
    category  the words of the objection; None: the guard's name
    text      what the provider would put in the place; None: it rewrites nothing
    """

    http: Caller
    method: str
    template: Template
    match: AnswerRule
    category: AnswerRule | None = None
    text: AnswerRule | None = None
    name: str = "http"
    reach: Reach = field(default_factory=Reach)

    def screen(self, asked: Asked) -> Judging:
        """Return what the API's answers say of *asked*."""
        return self._screen(asked) if asked.texts else Verdict()

    async def _screen(self, asked: Asked) -> Judged:
        whole = self.template.whole
        ats = range(1) if whole else range(len(asked.texts))
        replies = await ask_all([self._ask(asked, at) for at in ats])
        parts: list[Judged] = []
        for at, reply in zip(ats, replies, strict=True):
            answer = read(reply, object)
            about = tuple(range(len(asked.texts))) if whole else (at,)
            parts.append(answer if isinstance(answer, Trouble) else self._judge(answer, about))
        return combined(parts)

    def _ask(self, asked: Asked, at: int) -> Http:
        return self.http.send(self.method, self.http.base, self.template.filled(asked, at))

    def _judge(self, answer: object, about: tuple[int, ...]) -> Judged:
        """Return the verdict on the texts *about* that *answer* is about."""
        matched = self.match.read(answer)
        if not isinstance(matched, bool):
            return _fault("match", matched)
        if not matched:
            return Verdict()
        named = None if self.category is None else self.category.read(answer)
        if isinstance(named, RuleFault):
            return _fault("category", named)
        at = about[0] if len(about) == 1 else -1
        hits = tuple(Hit(what, at) for what in _words(named) or (word(self.http.guard),))
        if self.text is None:
            return Verdict(hits)
        rewritten = _rewritten(self.text.read(answer), about)
        return rewritten if isinstance(rewritten, Trouble) else Verdict(hits, rewritten)


def http(guard: Guard) -> Provider:
    """Return the provider that asks the API at the URL that *guard* names.

    Raises:
        ProviderFault: there is no rule `match`, or the body cannot be one.
    """
    settings, rules = Settings(guard), provision_of(guard).rules
    method = settings.text("method", "POST").upper()
    if method not in METHODS:
        raise ProviderFault(guard, f"`method` is `POST` or `PUT`, not `{method}`")
    if "match" not in rules:
        raise ProviderFault(guard, "nothing says when it finds something: add `match when ...`")
    body = template(guard, settings.text("body", DEFAULT_BODY))
    reach = Reach(
        chars_max=100_000,
        texts_max=64 if body.whole else AT_ONCE_MAX,
        locates="text" in rules,
    )
    return Screen(
        caller(guard),
        method,
        body,
        rules["match"],
        rules.get("category"),
        rules.get("text"),
        reach=reach,
    )


def _fault(rule: str, value: object) -> Trouble:
    kind = value.kind if isinstance(value, RuleFault) else f"not a bool but {_type(value)}"
    return failed(f"rule `{rule}` over the answer: {kind}")


def _type(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _words(named: object) -> tuple[str, ...]:
    if isinstance(named, str) and named:
        return (word(named),)
    if isinstance(named, list):
        return tuple(word(one) for one in _items(named) if isinstance(one, str))
    return ()


def _rewritten(value: object, about: tuple[int, ...]) -> dict[int, str] | Trouble:
    if isinstance(value, RuleFault):
        return _fault("text", value)
    texts = _items(value) if isinstance(value, list) else (value,)
    if len(texts) != len(about) or not all(isinstance(text, str) for text in texts):
        return failed(f"rule `text` over the answer: not {len(about)} texts")
    return {at: str(text) for at, text in zip(about, texts, strict=True)}


def _items(values: Any) -> Sequence[object]:
    """Return a list of JSON values as what it is; Any: its type cannot be told further."""
    return tuple(values)
