"""Say what is wrong with a text that does not fit the grammar, in the author's words."""

import re

from headrace.dsl.problems.diagnostic import Applicability, Problems
from headrace.dsl.problems.suggest import closest, did_you_mean
from headrace.dsl.source import Span
from headrace.dsl.syntax import later
from headrace.dsl.syntax.blocks import BLOCKS, CLOSING, Block, tokens, unclosed
from headrace.dsl.syntax.forms import settings
from headrace.dsl.syntax.grammar import Misfit, Start
from headrace.dsl.syntax.mistakes import named
from headrace.dsl.syntax.place import Edit, Mistake, Place, is_word, padded, place_of
from headrace.dsl.syntax.wanted import firsts, in_words, next_statement, usage


def explain(
    block: Block, text: str, misfit: Misfit, problems: Problems, start: Start = "item"
) -> Mistake:
    """Add the one diagnostic that fits the *misfit* in *block* best, and return what it is of.

    *text* stands for the block's: what was reported before is written over in it.
    """
    place = place_of(block, text, misfit, start)
    found = _end(place) or _string(place) or _later(place) or named(place) or _setting(place)
    mistake = found or _incomplete(place) or _unexpected(place)
    problems.add(
        mistake.code,
        place.inner(*mistake.span),
        mistake.message,
        mistake.label,
        mistake.help,
        fix=mistake.fix(place),
    )
    return mistake


def unknown_block(block: Block, problems: Problems) -> str | None:
    """Add what is wrong with a block whose opening word is none of ours; return what it meant."""
    start = block.span.start
    first = next((t.group() for t in tokens(block.span.text, 0) if t.group() != "\n"), "")
    text = block.keyword or first
    span = Span(block.span.source, start, start + len(text))
    if block.keyword in later.LATER_BLOCKS:
        cure = later.LATER_BLOCKS[block.keyword]
        message = f"`{block.keyword}` does not exist yet"
        problems.add("S108", span, message, "part of a later edition", cure)
        return None
    help_ = did_you_mean(text, BLOCKS, "a block starts with")
    if text in ("/", "-", "*"):
        help_ = "a comment begins with `#` and ends with the line"
    problems.add("S103", span, f"`{text}` does not start a block", "expected a block here", help_)
    return closest(text, BLOCKS)


def _end(place: Place) -> Mistake | None:
    """The block has no end: its brace is never closed."""
    if place.word or place.block.closed:
        return None
    opened = unclosed(place.text)
    if opened is None:
        return None
    at, bracket = opened
    close = CLOSING[bracket]
    what = f"the `{place.block.keyword}` block" if bracket == "{" else f"this `{bracket}`"
    # What is in an open parenthesis is anyone's guess; what is in an open block is not.
    start = len(place.text) - 1 if bracket == "{" else at
    text = place.text[start:-1] + close
    edits = (Edit(start, text),) if place.text[-1:].isspace() else ()
    message, help_ = f"{what} is never closed", f"add a `{close}`"
    return Mistake("S106", (at, at + 1), message, "opened here", help_, None, edits)


def _string(place: Place) -> Mistake | None:
    """A string that does not end with its line."""
    if place.word[:1] not in ("'", '"') or "$END" in place.expected:
        return None
    line, quote = place.line_after, place.word[0]
    if line.count(quote) > 1:
        return None
    kept = line if place.block.closed else line.rstrip("} \t")  # it swallowed the brace
    edits = (Edit(place.start, f"{kept[:-1]}{quote}"),) if len(kept) > 1 else ()
    span = (place.start, place.start + len(line))
    help_ = f"end it with `{quote}` on the same line"
    return Mistake("S107", span, "this string is never closed", "starts here", help_, None, edits)


def _later(place: Place) -> Mistake | None:
    cure = later.LATER_SETTINGS.get((place.block.keyword, place.word))
    if cure is None or not place.expected & {"RBRACE", "LBRACE", "MATCH", "MAX", "LOG"}:
        return None
    message = f"`{place.word}` in `{place.block.keyword}` does not exist yet"
    span = (place.start, place.end)
    return Mistake("S108", span, message, "part of a later edition", cure)


def _setting(place: Place) -> Mistake | None:
    """A word that stands where a setting should, and is none of this block."""
    known = settings(place.block.keyword)
    if not known or "RBRACE" not in place.expected or not is_word(place.word[:1] or " "):
        return None
    if place.word in known or not firsts(place):
        return None
    kind, span = place.block.keyword, (place.start, place.end)
    near = closest(place.word, known)
    label = f"did you mean `{near}`?" if near else "not a setting"
    help_ = f"`{kind}` can say: {', '.join(known.values())}"
    message = f"unknown setting `{place.word}` in `{kind}`"
    if near is None:
        return Mistake("S102", span, message, label, help_)
    same = near.lower() == place.word.lower()
    cure = (near, Applicability.SAFE if same else Applicability.MAYBE)
    edits: tuple[Edit, ...] = ()
    if len(near) <= len(place.word):
        edits = (Edit(place.start, padded(near, len(place.word))),)
    return Mistake("S102", span, message, label, help_, cure, edits)


def _incomplete(place: Place) -> Mistake | None:
    """A statement that ends before it is complete, and the next line goes on with another."""
    before, known = place.before.rstrip(), settings(place.block.keyword)
    if "RBRACE" in place.expected or not next_statement(place):
        return None
    first = next((w for w in reversed(re.findall(r"\w+", before)) if w in known), None)
    expected = in_words(place)
    if first is None or not expected:
        return None
    last = place.start - len(place.before) + len(before)
    message, label = f"`{first}` is not complete", f"expected {expected} after this"
    return Mistake("S101", (last - 1, last), message, label, usage(place))


def _unexpected(place: Place) -> Mistake:
    expected = in_words(place)
    label = f"expected {expected}" if expected else "cannot go on from here"
    if place.word:
        message = f"unexpected `{place.word}`"
        return Mistake("S101", (place.start, place.end), message, label, usage(place))
    last = max(place.misfit.at, 1)
    message = f"the `{place.block.keyword}` block ends too early"
    span = (last - 1, last)
    return Mistake("S101", span, message, f"{label} after this", usage(place))
