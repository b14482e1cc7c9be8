"""The mistakes that have a name: what other languages teach, and what fingers do.

Each is recognised at the word where a block stops fitting. A mistake that can only mean
one thing has a safe fix, and is written over so that the rest of the block can be read.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from headrace.dsl.problems.suggest import closest
from headrace.dsl.syntax.forms import OPENING, settings, words_of
from headrace.dsl.syntax.habits import HABITS, MAYBE, SAFE, sign_at
from headrace.dsl.syntax.place import Edit, Mistake, Place, is_word, padded
from headrace.dsl.syntax.slips import SLIPS
from headrace.dsl.syntax.wanted import next_statement, usage

_NAME = re.compile(r"[\w*@-](?:[\w./:@*-]*[\w*])?")
_ADDRESS = re.compile(r"[\w.-]+:\d+")
_LONG_NAME_CHARS = 200


def named(place: Place) -> Mistake | None:
    """Return the mistake at *place* if it is one of those we know."""
    return next((found for look in _LOOKS if (found := look(place))), None)


def _separator(place: Place) -> Mistake | None:
    """A sign between statements, or between a setting and its value."""
    word, expected = place.word, place.expected
    if word == ";" or (word == "," and not expected & {"COMMA", "RELOP"} and "RBRACE" in expected):
        message = f"`{word}` separates nothing here"
        return sign_at(place, message, "settings need nothing between them")
    if word not in (":", "=") or ("RELOP" in expected and "LBRACE" not in expected):
        return None
    if place.before.strip() == place.block.keyword:
        return None  # its name is missing
    if word == ":" and "LBRACE" in expected and place.line_after == ":":
        help_ = f"a block stands in braces: `{place.before.strip()} {{ ... }}`"
        return Mistake("S101", (place.start, place.end), "`:` opens no block", "not here", help_)
    if expected == frozenset(("EQUAL",)):
        found = sign_at(place, "`:` stands where `=` belongs", "write `NAME = EXPRESSION`", 1, "=")
        apart = place.before[-1:].isspace()
        return found if apart else replace(found, cure=(" =", SAFE))
    if expected & {"COLON", "EQUAL", "RELOP"} or not re.search(r"[\w\"'][ \t]*$", place.before):
        return None
    before = (place.before.split() or [""])[-1]
    help_ = "a setting is a word and its value, with no sign between them"
    return sign_at(place, f"`{word}` is not needed after `{before}`", help_)


def _list(place: Place) -> Mistake | None:
    """A list as YAML or JSON has it."""
    if "RELOP" in place.expected:
        return None
    if place.word == "-" and re.search(r"\n[ \t]*$", place.before):
        if place.expected & {"STRING", "NAME"}:
            help_ = 'a list is its items with commas between them: `endpoints "a", "b"`'
            return sign_at(place, "`-` does not begin an item", help_)
        if "COMMA" in place.expected:
            return sign_at(place, "`-` does not begin an item", "write a comma between", 1, ",")
    if place.word != "[" or not place.expected & {"STRING", "NAME", "IDENT"}:
        return None
    if "LSQB" in place.expected:
        return None
    close = place.text.find("]", place.start)
    edits = (Edit(place.start, " "), *([Edit(close, " ")] if close > 0 else []))
    help_ = 'a list has no brackets: `endpoints "a", "b"`'
    span = (place.start, place.start + 1)
    return Mistake("S101", span, "`[` does not begin a list here", "not here", help_, None, edits)


def _share(place: Place) -> Mistake | None:
    """A share without its number or without its percent sign, or an arrow after it."""
    if place.word == "%" and "SHARE" in place.expected:
        message, help_ = "`%` has no number before it", "a share is a number and `%`: `90%`"
        return Mistake("S101", (place.start, place.end), message, "how much?", help_)
    if place.expected == frozenset(("TO",)) and place.line_after.startswith(("->", "=>")):
        return sign_at(place, "an arrow stands where `to` belongs", "write `90% to gemma`", 2, "to")
    number = re.search(r"(?<![\w.-])(\d+(?:\.\d+)?)([ \t]+)$", place.before)
    if number is None or place.word != "to" or "TO" in place.expected:
        return None
    start = place.start - len(number[0])
    end = start + len(number[1])
    message, help_ = f"`{number[1]}` is not a share", f"write `{number[1]}%`"
    edits = (Edit(end, "%"),)
    cure = (f"{number[1]}%", MAYBE)
    return Mistake("S101", (start, end), message, "lacks its `%`", help_, cure, edits)


def _percent(place: Place) -> Mistake | None:
    number = re.fullmatch(r"\d+(?:\.\d+)?", place.word)
    if number is None or place.expected != frozenset(("SHARE",)):
        return None
    message, help_ = f"`{place.word}` is not a share", f"write `{place.word}%`"
    cure = (f"{place.word}%", MAYBE)
    return Mistake("S101", (place.start, place.end), message, "lacks its `%`", help_, cure)


def _unquoted(place: Place) -> Mistake | None:
    """A name or an address that needs quotes."""
    if "RELOP" in place.expected:
        return None
    head = re.search(r"[\w.@*-]*$", place.before)
    start = place.start - (len(head[0]) if head else 0)
    run = _NAME.match(place.text, start, start + _LONG_NAME_CHARS)
    text = run[0] if run else ""
    inside = place.word[:1] in ("/", ":", "@", "*", ".") and len(text) > place.start - start + 1
    string = (
        "STRING" in place.expected
        and not place.expected & {"NAME", "IDENT"}
        and len(text) > 1
        and text not in settings(place.block.keyword)
    )
    if not string and not (inside and start < place.start):
        return None
    sign = re.search(r"[/:@*.]", text)
    help_ = f'write `"{text}"`'
    if sign and not string:
        help_ = f'write `"{text}"`: a name with `{sign[0]}` in it stands in quotes'
    guess = f'"{text[1:-1]}"' if string else re.sub(r"[^\w-]", "_", text)
    span, edits = (start, start + len(text)), (Edit(start, guess),)
    cure = (f'"{text}"', SAFE if sign else MAYBE)
    return Mistake("S101", span, f"`{text}` needs quotes", "not quoted", help_, cure, edits)


def _keyword(place: Place) -> Mistake | None:
    """A word near to one that would fit, or a habit in its place."""
    words = {w for name in place.expected if (w := words_of(name))}
    if not is_word(place.word[:1] or " "):
        return None
    if "RBRACE" not in place.expected and next_statement(place):
        return None
    if "RBRACE" in place.expected:
        words -= settings(place.block.keyword).keys()  # these have their own message
    habits = {"if": "when", "where": "when", "unless": "when !", "into": "to"}
    meant = closest(place.word, words)
    if meant is None and habits.get(place.word, "").split(" ")[0] in words:
        meant = habits[place.word]
    if meant is None:
        return None
    message = f"unexpected `{place.word}`"
    edits: tuple[Edit, ...] = ()
    if len(meant) <= len(place.word):
        edits = (Edit(place.start, padded(meant, len(place.word))),)
    cure = (meant, MAYBE)
    span, label = (place.start, place.end), f"did you mean `{meant}`?"
    return Mistake("S101", span, message, label, "", cure, edits)


def _missing_word(place: Place) -> Mistake | None:
    """A condition without `when`, a target without `to`."""
    known = {"WHEN": "`when` belongs before a condition", "TO": ""}
    if place.before.split() == ["class", "when"] and "WHEN" in place.expected:
        at = place.start - len(place.before.partition("when")[2]) - len("when")
        help_ = f"write it like `{OPENING['class']}`"
        message, label = "this class has no name", "expected a name before this"
        return Mistake("S101", (at, at + len("when")), message, label, help_)
    lacking = [name for name in known if name in place.expected]
    starts = is_word(place.word[:1] or " ") or place.word[:1] in ("!", "(", '"')
    if len(lacking) != 1 or len(place.expected) > 3 or not starts:
        return None
    word = lacking[0].lower()
    if lacking == ["TO"] and place.expected != frozenset(("TO",)):
        return None
    if next_statement(place):
        return None  # the one before it is not complete
    message, label = f"`{word}` is missing", f"expected `{word}` before this"
    cure = (f"{word} ", SAFE if place.expected == frozenset(lacking) else MAYBE)
    share = re.search(r"\d[\d.]*%[ \t]+$", place.before)
    edits: tuple[Edit, ...] = ()
    if share:  # read as if it had no share
        blank = " " * len(share[0])
        edits = (Edit(place.start - len(blank), blank + place.word),)
    span, help_ = (place.start, place.end), known[lacking[0]] or usage(place)
    return Mistake("S101", span, message, label, help_, cure, edits, (place.start, place.start))


def _comma(place: Place) -> Mistake | None:
    """Two items of a list with nothing between them."""
    line = place.line_after
    if "COMMA" not in place.expected or "RELOP" in place.expected or place.before[-1:] != " ":
        return None
    share = re.match(r"\d+(\.\d+)?%", line) is not None
    string = line[:1] in ("'", '"') and place.before.rstrip()[-1:] in ("'", '"')
    if not share and not string:
        return None
    end = len(_share_text(line)) if share else 1
    span, edits = (place.start, place.start + end), (Edit(place.start - 1, ","),)
    last = place.start - len(place.before) + len(place.before.rstrip())
    label, help_ = "expected `,` before this", "the items of a list have commas between them"
    return Mistake("S101", span, "a `,` is missing", label, help_, (",", SAFE), edits, (last, last))


def _share_text(line: str) -> str:
    return line[: line.index("%") + 1]


def _swallowed(place: Place) -> Mistake | None:
    """A sign at the end of a line, and the next setting read as what should follow it."""
    found = re.search(r"([,*+])\s*?\n\s*(\w+)[ \t]*$", place.before)
    known = settings(place.block.keyword)
    if found is None or found[2] not in known:
        return None
    at = place.start - len(found[0])
    message, label = f"nothing follows this `{found[1]}`", "expected one more, or no sign"
    if found[1] == ",":
        edits, cure = (Edit(at, " "),), ("", SAFE)
        return Mistake("S101", (at, at + 1), message, label, "remove it", cure, edits)
    begins = [m.start() for m in re.finditer(r"\w+", place.before) if m[0] in known]
    begins = [b for b in begins if b < found.start()]
    start = place.start - len(place.before) + begins[-1] if begins else at
    edits = (Edit(start, " " * (at + 1 - start)),)
    return Mistake("S101", (at, at + 1), message, label, "", None, edits, None, lost=True)


def _surplus(place: Place) -> Mistake | None:
    """A bracket behind the end."""
    terminal = {"}": "RBRACE", ")": "RPAR", "]": "RSQB"}.get(place.word)
    if terminal is None or terminal in place.expected or "$END" not in place.expected:
        return None
    message = f"this `{place.word}` closes nothing"
    edits, cure = (Edit(place.start, " "),), ("", MAYBE)
    help_ = "remove it, or look for the opening one above"
    span = (place.start, place.end)
    return Mistake("S101", span, message, "nothing is open here", help_, cure, edits)


_LOOKS: tuple[Callable[[Place], Mistake | None], ...] = (
    *SLIPS, *HABITS, _swallowed, _separator, _list, _share, _percent, _comma, _surplus, _unquoted,
    _keyword, _missing_word,
)  # fmt: skip
