"""What may be written inside a guard, and inside what is said of guards elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from headrace.dsl.checks.settings import SettingKind
from headrace.dsl.guarding import Scope, Streamed
from headrace.dsl.providers import BOTH, DETECTORS, SCHEMAS, Option, Schema
from headrace.dsl.syntax import blocks

OPENERS = frozenset(("guard", "safety", "test"))
_UNITS = {"characters": "of the text", "sentences": "as the text is written"}
_SCOPES = {
    Scope.ALL: "the whole prompt",
    Scope.NEW_TURNS: "what was said since the model's last answer",
    Scope.LAST_TURN: "the last message of the user",
}
_STREAMED = {
    Streamed.HOLD: "no text passes that was not judged",
    Streamed.OBSERVE: "all passes at once",
}
# The word that opens a statement -> the words that may follow it, each with what it means.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "detect": DETECTORS,
    "scope": {scope.value: doc for scope, doc in _SCOPES.items()},
    "stream": {mode.value: doc for mode, doc in _STREAMED.items()},
    "window": _UNITS,
    "inspect": {"prompt": "what is asked", "response": "what is answered"},
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something is to be written in a block that is about guards.

    verb    the word that opened the statement; empty where a new one may begin
    asked   the provider in whose `ask` it is; None outside of one
    before  the words before it
    """

    opener: str
    verb: str
    asked: Schema | None
    before: Sequence[str]


def spot(opener: str, verb: str, before: str) -> Spot:
    """Return the spot at the end of *before*, the text of a block so far."""
    words = [t.group() for t in blocks.tokens(before, 0) if t.group() != "\n"]
    inside = words.count("{") - words.count("}") > 1
    asked = None
    if opener == "guard" and inside and "ask" in words:
        at = len(words) - 1 - words[::-1].index("ask")
        asked = SCHEMAS.get(words[at + 1]) if at + 1 < len(words) else None
    return Spot(opener, verb, asked, words)


def words(at: Spot) -> Iterator[tuple[str, str, str]]:
    """Yield the words that may stand there, each with what it is and what it means."""
    last = at.before[-1] if at.before else ""
    if at.asked is not None:
        yield from _of_provider(at.asked, at.before)
    elif at.opener == "guard" and at.verb == "ask" and last == "ask":
        for schema in SCHEMAS.values():
            yield schema.name, "provider", schema.doc
    elif at.opener == "guard":
        for word, doc in _WORDS.get(at.verb, {}).items():
            yield word, at.verb, doc
    elif at.opener == "test" and last == "in":
        for word in sorted(BOTH):
            yield word, "direction", _WORDS["inspect"][word]


def _of_provider(schema: Schema, before: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the values of the setting that was begun, and the settings there are."""
    option = next((schema.by_name[w] for w in reversed(before) if w in schema.by_name), None)
    if option is not None and before[-1] in (option.name, ","):
        values = ("true", "false") if option.kind is SettingKind.BOOL else option.words
        for value in values:
            yield value, option.name, option.doc
        return
    for one in schema.options:
        if one.name not in ("template", "response_template"):
            yield one.name, _kind(one), one.doc


def _kind(option: Option) -> str:
    return f"{option.kind.value}{', required' if option.required else ''}"


def kind_of_name(at: Spot) -> str:
    """Return which names of the policy may stand there: ``model``, ``guard``, or none."""
    last = at.before[-1] if at.before else ""
    if at.opener == "test" and list(at.before[-2:]) == ["given", "guard"]:
        return "guard"
    clause = next((w for w in reversed(at.before) if w in ("for", "template", "{", "}")), "")
    return "model" if at.opener == "guard" and clause == "for" and last in ("for", ",") else ""


def operands(at: Spot, guards: Sequence[str]) -> Iterator[tuple[str, str, str]] | None:
    """Return what an expression there may begin with; None where it is one like any other."""
    if at.asked is not None:
        return iter([("answer", "json", "what the provider has answered")])
    if at.opener == "safety":
        doc = "whether that guard has found something; false if it was not asked"
        return ((f'matched("{name}")', "bool", doc) for name in guards)
    return None


def described(word: str, opener: str) -> str | None:
    """Return what a word inside a guard stands for: a detector, a provider, or its setting."""
    if opener != "guard":
        return None
    if word in DETECTORS:
        return f"`{word}`: {DETECTORS[word]}"
    if word in SCHEMAS:
        schema = SCHEMAS[word]
        rows = [f"- `{o.name}` ({_kind(o)}): {o.doc}" for o in schema.options]
        return "\n".join([f"`{word}`: {schema.doc}", "", *rows])
    found = [o for schema in SCHEMAS.values() for o in schema.options if o.name == word]
    return f"`{word}` ({_kind(found[0])}): {found[0].doc}" if len(found) == 1 else None
