"""What would have fitted at a place, in words: of the grammar's terminals and of its forms."""

from headrace.dsl.problems.suggest import closest
from headrace.dsl.syntax.blocks import tokens
from headrace.dsl.syntax.forms import OPENING, USAGE, settings, words_of
from headrace.dsl.syntax.place import Place

_WORDS = {
    "LBRACE": "`{`", "RBRACE": "`}`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`",
    "COMMA": "`,`", "COLON": "`:`", "DOT": "`.`", "EQUAL": "`=`", "STAR": "`*`", "PLUS": "`+`",
    "QMARK": "`?`", "INT": "a whole number", "SINT": "a whole number", "NUMBER": "a weight",
    "STRING": "a string", "NAME": "a name", "IDENT": "a name", "DURATION": "a duration like `2s`",
    "SHARE": "a share like `90%`", "SIZE": "a size like `64MB`",
    "LABEL": "a label like `tier = \"gold\"`", "PERCENTILE": "a percentile like `p95`",
    "$END": "the end of the block",
    "TO": "`to` and a pool", "OF": "`of` and a pool", "AFTER": "`after` and a duration like `2s`",
    "UP": "`up to` and a limit", "RETRY": "`retry after`", "TIES": "`ties by`",
    "BY": "`by` and an expression", "FROM": "`from`",
    "WHEN": "`when` and a condition", "WITH": "`with` and a status", "TOP": "`top` and a number",
}  # fmt: skip
_VALUE = frozenset(("FLOAT", "TRUE", "FALSE", "NULL", "SIZE", "PERCENT"))
# What else an expression may begin with.
_OPERAND = frozenset(
    ("IDENT", "INT", "UINT", "STRING", "OCTETS", "QUOTED", "DURATION", "BANG", "MINUS", "DOT")
) | frozenset(("LPAR", "LSQB", "LBRACE", "ADDOP"))
_END = frozenset(("$END",))
_OPERATOR = frozenset(
    ("RELOP", "ADDOP", "MULOP", "IN", "DOT", "QMARK", "LSQB", "__ANON_0", "__ANON_1")
)
_WORDS_MAX = 8  # a longer list of what would fit is no help
# Inside an `ask`, whose own settings are whatever its provider has.
_ASKING = {
    "header": 'header "authorization" from env "SCREEN_TOKEN" prefix "Bearer "',
    "match": "match when answer.flagged",
    "category": "category answer.label",
    "text": "text answer.clean",
}
_SETTINGS_MIN = 2  # from so many on they are called settings, and listed in the help


def usage(place: Place) -> str:
    """Return how what stands here is written; empty in an expression, which has many forms."""
    keyword, known = place.block.keyword, settings(place.block.keyword)
    # An expression is complete and its statement is not, as without the `for up to` of a queue.
    lacking = place.word == "}" or "FOR" in place.expected
    if "RELOP" in place.expected and "RBRACE" not in place.expected and lacking:
        return _form(place)
    if (
        place.expected == frozenset(("$END",))
        or "RELOP" in place.expected
        or place.expected >= _VALUE
    ):
        return ""
    body = place.text.find("{")
    if body < 0 or place.start <= body:
        return f"write it like `{OPENING[keyword]}`" if keyword in OPENING else ""
    if "RBRACE" in place.expected:
        return f"`{keyword}` can say: {', '.join(known.values())}" if firsts(place) else ""
    return _form(place)


def _form(place: Place) -> str:
    """Return how the statement is written that has begun before *place*."""
    keyword, known = place.block.keyword, settings(place.block.keyword)
    if keyword == "trust":
        return f"write it like `{OPENING[keyword]}`"
    words = [t.group() for t in tokens(place.before, 0) if t.group() in known]
    usage = USAGE.get((keyword, words[-1])) if words else None
    if words and words[-1] == "prefix" and "SIZE" in place.expected:
        usage = "prefix memory 64MB"
    if "ask" in words and place.before.count("{") > place.before.count("}") + 1:
        inner = [t.group() for t in tokens(place.before, 0) if t.group() in _ASKING]
        usage = _ASKING[inner[-1]] if inner else usage
    return f"write it like `{usage}`" if usage else ""


def next_statement(place: Place) -> bool:
    """Return whether what stands on a new line there is the next statement, or meant to be."""
    known = settings(place.block.keyword)
    if "\n" not in place.before[len(place.before.rstrip()) :]:
        return False
    return place.word == "}" or place.word in known or closest(place.word, known) is not None


def firsts(place: Place) -> frozenset[str]:
    """Return the terminals of the settings that could begin here."""
    known = settings(place.block.keyword)
    return frozenset(name for name in place.expected if words_of(name) in known)


def in_words(place: Place) -> str:
    """Return what would fit as an English list; operands, operators and settings as one each."""
    rest, words = set(place.expected), list[str]()
    if rest >= _VALUE:
        rest -= _VALUE | _OPERAND
        words.append("an expression")
    if "RELOP" in rest:
        rest -= _OPERATOR | {"LPAR"}
        words.append("an operator")
    begin = firsts(place)
    if "RBRACE" in rest and len(begin) >= _SETTINGS_MIN:
        rest -= begin
        words.append("a setting")
    words += sorted({_WORDS.get(name, f"`{(words_of(name) or name).lower()}`") for name in rest})
    if not words or len(words) > _WORDS_MAX:
        return ""
    return " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]
