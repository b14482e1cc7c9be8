"""What may be written at a place: what the parser accepts there, and the names that fit."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.dsl import library
from headrace.dsl.cel.calls import FUNCTIONS, METHODS
from headrace.dsl.cel.kinds import Base, Type
from headrace.dsl.cel.library import fits
from headrace.dsl.cel.standard import STANDARD
from headrace.dsl.checks import rules
from headrace.dsl.source import Source
from headrace.dsl.syntax import blocks, forms
from headrace.dsl.syntax.declarations import keyword
from headrace.dsl.syntax.grammar import fitting
from headrace.dsl.vocabulary import GPU_SOURCES, METRIC_DIALECTS, STAGES, TRUST_NAMES, variables
from headrace.host.lsp import guard_words
from headrace.host.lsp.describe import signatures, type_text
from headrace.host.lsp.mentions import RULE
from headrace.host.lsp.policy import Names

_PARTIAL = re.compile(r"[\w-]*\Z")
_WORD = re.compile(r"\w*\Z")
_PATH = re.compile(r"([A-Za-z_][\w.]*)\.\Z")
# The block, or the block and the statement -> the kind of name that stands there.
_HEADS = {"pool": "pool", "model": "model", "profile": "profile", "overload": "pool"}
_NAMES = {
    "require": ("filter",),
    "prefer": ("filter",),
    "score": ("scorer",),
    "multiply": ("scorer",),
    "rank": ("scorer",),
    "minimize": ("cost",),
    "else": ("profile",),
    "profile": ("profile",),
    "objective": ("objective",),
    "route": ("pool",),
    "mirror": ("pool",),
    "adapter": ("pool",),
    "given": ("pool",),
}
_WORDS = {"metrics": METRIC_DIALECTS, "gpu": GPU_SOURCES}
_OPERAND = frozenset(("BANG", "LPAR", "LSQB"))
_ROOTS = {
    "class": rules.REQUEST,
    "guard": rules.REQUEST,
    "trust": rules.REQUEST,
    "overload": rules.REQUEST_AND_POOL,
    "trace": rules.AFTERWARDS,
    "test": rules.AFTERWARDS,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that may be written. *kind*: ``keyword name field function method value``."""

    text: str
    kind: str
    detail: str = ""
    doc: str = ""


def choices(source: Source, offset: int, names: Names) -> list[Choice]:
    """Return what may be written at *offset*, each once."""
    found = {choice.text: choice for choice in _choices(source, offset, names)}
    return [found[text] for text in sorted(found)]


def _choices(source: Source, offset: int, names: Names) -> Iterator[Choice]:
    block = next(
        (b for b in reversed(blocks.split(source)) if b.span.start < offset <= b.span.end), None
    )
    start = block.span.start if block else 0
    text = source.text[start:offset]
    if _in_comment(text):
        return
    path = _PATH.search(_WORD.sub("", text))
    if path is not None and block is not None:
        yield from _members(path[1], block.keyword, names)
        return
    before = _PARTIAL.sub("", text)
    if not before.strip():
        yield from _blocks(source.text[:start])
        return
    if block is None:
        return  # what stands there opens no block
    accepted = fitting(before, "header" if block.keyword == "sched" else "item")
    if "$END" in accepted and "\n" in before[len(before.rstrip()) :]:
        yield from _blocks(source.text)
    yield from _accepted(accepted, block.keyword, before, names)


def _in_comment(text: str) -> bool:
    line = text.rpartition("\n")[2]
    return any(found.end() == len(line) for found in blocks.comments(line))


def _blocks(text: str) -> Iterator[Choice]:
    """Yield the words that open a block."""
    words: Iterable[str] = sorted(blocks.BLOCKS) if "sched" in text else ("sched",)
    for word in words:
        yield Choice(word, "keyword", "block", f"```sched\n{forms.OPENING.get(word, word)}\n```")


def _accepted(accepted: frozenset[str], opener: str, before: str, names: Names) -> Iterator[Choice]:
    """Yield the words of the *accepted* terminals, and the names where one may stand."""
    verb = _verb(before, opener)
    spot = guard_words.spot(opener, verb, before)
    for terminal in accepted:
        word = forms.words_of(terminal)
        if word is not None:
            usage = forms.USAGE.get((opener, word), "")
            yield Choice(word, "keyword", opener, f"```sched\n{usage}\n```" if usage else "")
    if accepted & _OPERAND and "IDENT" in accepted:
        others = guard_words.operands(spot, names.of("guard"))
        if others is None:
            yield from _operands(opener, names)
        else:
            for text, type_, doc in others:
                yield Choice(text, "field", type_, doc)
    elif accepted & {"NAME", "IDENT"}:
        yield from _names(opener, verb, before, names)
        if opener in guard_words.OPENERS:
            yield from _of_guards(spot, names)


def _of_guards(spot: guard_words.Spot, names: Names) -> Iterator[Choice]:
    for text, detail, doc in guard_words.words(spot):
        yield Choice(text, "value", detail, doc)
    kind = guard_words.kind_of_name(spot)
    for name, text in _defined(kind, names) if kind else ():
        yield Choice(name, "name", kind, text)


def _verb(before: str, opener: str) -> str:
    """Return the word that opens the statement at the end of *before*; empty in the head."""
    known = forms.settings(opener)
    body = before.partition("{")[2]
    words = [t.group() for t in blocks.tokens(body, 0)]
    return next((word for word in reversed(words) if word in known), "")


def _names(opener: str, verb: str, before: str, names: Names) -> Iterator[Choice]:
    kinds = _NAMES.get(verb, ())
    if re.search(r"\bgiven\s+guard\s+\Z", before):
        kinds = ()
    if "{" not in before:
        defining = re.fullmatch(r"(override\s+)?\w+\s+", before) and opener != "overload"
        named = re.match(r"override\s+(\w+)", before)
        if named is not None:
            kinds = (named[1],)
        elif not defining and opener in _HEADS:
            kinds = (_HEADS[opener],)
    if opener == "chain" and "{" in before:
        for stage in sorted({*STAGES, *names.of("stage")}):
            yield Choice(stage, "name", "stage")
    if opener == "trust":
        for word in TRUST_NAMES:
            yield Choice(word, "value", "trust")
    for word in _WORDS.get(verb, ()):
        yield Choice(word, "value", verb)
    for kind in kinds:
        for name, text in _defined(kind, names):
            yield Choice(name, "name", kind, text)


def _defined(kind: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield the names of *kind* as they are written, and what defines them."""
    for mention in names.mentions:
        block = names.block_of(mention) if mention.defines else None
        if block is None:
            continue
        if kind in (mention.kind, keyword(block) if mention.kind == RULE else ""):
            plain = re.fullmatch(r"\w+([-.]\w+)*", mention.name)
            text = f"```sched\n{block.span.text}\n```"
            yield mention.name if plain else f'"{mention.name}"', text
    for name in library.names():
        definition = library.definition(name)
        if definition.kind == kind:
            yield name, f"```sched\n{definition.span.text}\n```"


def _operands(opener: str, names: Names) -> Iterator[Choice]:
    """Yield what an expression in such a block may begin with."""
    roots = _ROOTS.get(opener, rules.ALL)
    for name, variable in variables().items():
        if variable.root in roots and "." not in name:
            yield Choice(name, "field", type_text(variable.type), variable.doc)
    for root in roots & {v.root for v in variables().values() if "." in v.name}:
        yield Choice(root, "field", "names of the vocabulary")
    for name, typed in names.lets.items():
        if {read.partition(".")[0] for read in typed.reads} <= roots:
            yield Choice(name, "name", f"let: {type_text(typed.type)}")
    for name in FUNCTIONS:
        head, dot, _ = name.partition(".")
        if dot:
            yield Choice(head, "function", "functions")
        else:
            yield Choice(name, "function", "function", signatures(name))
    for word in ("true", "false", "null"):
        yield Choice(word, "value", "constant")


def _members(path: str, opener: str, names: Names) -> Iterator[Choice]:
    """Yield what may stand behind the dot after *path*."""
    roots = _ROOTS.get(opener, rules.ALL)
    known = variables()
    for name, variable in known.items():
        if name.startswith(f"{path}.") and variable.root in roots:
            member, _, more = name[len(path) + 1 :].partition(".")
            if more:
                yield Choice(member, "field", "names of the vocabulary")
            else:
                detail = f"{type_text(variable.type)}, {variable.binding.value}"
                yield Choice(member, "field", detail, variable.doc)
    if path == "request" and "request" in roots:
        yield Choice("header", "function", "string", "the value of a header, or empty")
        yield Choice("cookie", "function", "string", "the value of a cookie, or empty")
    for name in FUNCTIONS:
        if name.startswith(f"{path}."):
            yield Choice(name[len(path) + 1 :], "function", "function", signatures(name))
    type_ = known[path].type if path in known else None
    if path in names.lets:
        type_ = names.lets[path].type
    if type_ is not None:
        yield from _methods(type_)


def _methods(type_: Type) -> Iterator[Choice]:
    for name in METHODS:
        method = STANDARD.methods.get(name)
        if method is None:  # a macro
            takes = type_.base in (Base.LIST, Base.MAP)
        else:
            takes = any(fits(one.params[0], type_, {}) for one in method.overloads)
        if takes:
            yield Choice(name, "method", "method", signatures(name))
