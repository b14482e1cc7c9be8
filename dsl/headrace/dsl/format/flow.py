"""Break what is too long for a line: chains at their operators, lists at their commas.

What the author has spread over lines at such a place stays spread.
"""

import itertools
from collections.abc import Iterator, Sequence

from headrace.dsl.format.rows import WIDTH, Lines
from headrace.dsl.format.words import Word, flat

Ranges = Sequence[tuple[int, int]]
_CHAINS = (":", "||", "&&", "+")
_ASKING = frozenset(("?", ":", "||", "&&"))
_CLAUSES = frozenset(("WITH", "RETRY", "FAIR", "SOONEST", "FOR", "TIES"))
_CLOSES = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_SPREAD = frozenset(("LSQB", "LBRACE"))
_IN = 2


def statement(words: Sequence[Word], exprs: Ranges, column: int, back: int = 0) -> Lines:
    """Return the lines of a statement that goes on at *column*; *exprs* are its expressions.

    It begins *back* left of there; so does what is in a bracket that ends its first line.
    """
    if not asks(words, exprs) and column + len(flat(words)) <= WIDTH:
        return ((0, flat(words)),)
    return _with_expressions(words, exprs, column, back) if exprs else _listed(words)


def asks(words: Sequence[Word], exprs: Ranges) -> bool:
    """Return whether the author spread *words* over lines where that is of a kind to stay."""
    if any(_expression_asks(words[start:end]) for start, end in exprs):
        return True
    return not exprs and any(_newline_at(words, i, frozenset(",+")) for i in range(len(words)))


def _newline_at(words: Sequence[Word], i: int, splits: frozenset[str]) -> bool:
    """Return whether a line ends beside the word *i*, a link of the outermost chain."""
    word = words[i]
    if word.split not in splits or word.depth != words[0].depth:
        return False
    return bool(word.newlines) or (i + 1 < len(words) and words[i + 1].newlines > 0)


def _expression_asks(words: Sequence[Word]) -> bool:
    if any(_newline_at(words, i, _ASKING) for i in range(len(words))):
        return True
    return any(_opens_spread(a, b) for a, b in itertools.pairwise(words))


def _opens_spread(bracket: Word, after: Word) -> bool:
    """Return whether *bracket* opens a list or a map whose first item is on a line of its own.

    A pair with nothing inside is printed as one, so a line end in it cannot stay.
    """
    return bracket.kind in _SPREAD and after.newlines > 0 and after.kind != _CLOSES[bracket.kind]


def _listed(words: Sequence[Word]) -> Lines:
    """Return a list, one item a line; the signs of a sum lead their lines."""
    lines: list[tuple[int, str]] = []
    for part in _parts(words, {","}):
        first, *terms = _cut(part, "+")
        lines.append((0, flat(first)))
        lines += [(-2, flat(term)) for term in terms]
    return tuple(lines)


def _parts(words: Sequence[Word], splits: set[str]) -> Iterator[Sequence[Word]]:
    """Yield the parts of *words*, each with the link that ends it."""
    start = 0
    for i, word in enumerate(words):
        if word.split in splits and word.depth == words[0].depth:
            yield words[start : i + 1]
            start = i + 1
    if start < len(words):
        yield words[start:]


def _cut(words: Sequence[Word], split: str) -> list[Sequence[Word]]:
    """Return the parts of *words*, each but the first with the link that begins it."""
    depth = words[0].depth
    at = [i for i, word in enumerate(words) if i and word.split == split and word.depth == depth]
    return [words[a:b] for a, b in zip([0, *at], [*at, len(words)], strict=True)]


def _with_expressions(words: Sequence[Word], exprs: Ranges, column: int, back: int) -> Lines:
    lines: Lines = ((0, ""),)
    at = 0
    for start, end in exprs:
        if start > at:
            lines = _static(lines, words[at:start])
        by = lines[-1][0] + len(lines[-1][1])
        by += bool(lines[-1][1])
        inner = words[start:end]
        made = expression(inner, column + by)
        if len(made) > 1 and not any(len(_cut(inner, split)) > 1 for split in _CHAINS):
            lines = _joined(lines, expression(inner, column - back, within=by + back), -back)
        else:
            lines = _joined(lines, made, by)
        at = end
    return _static(lines, words[at:]) if at < len(words) else lines


def _static(lines: Lines, words: Sequence[Word]) -> Lines:
    """Return *lines* with *words*, which are no expression, behind; clauses on their own line."""
    if words[0].kind in _CLAUSES and lines[-1][1]:
        return (*lines, (0, flat(words)))
    *before, (by, text) = lines
    return (*before, (by, (text + words[0].space if text else "") + flat(words)))


def _joined(lines: Lines, more: Lines, by: int) -> Lines:
    """Return *lines* and *more*, whose first line goes on with the last of *lines*."""
    *before, (rel, text) = lines
    first, *rest = more
    space = " " if text and not text.endswith(" ") else ""
    return (*before, (rel, text + space + first[1]), *((by + r, t) for r, t in rest))


def expression(words: Sequence[Word], column: int, *, hang: bool = True, within: int = 0) -> Lines:
    """Return the lines of an expression whose lines begin at *column*, its first *within* it.

    With *hang* the operators of its outermost chain stand left of *column*, the operands
    under each other.
    """
    if not _expression_asks(words) and column + within + len(flat(words)) <= WIDTH:
        return ((0, flat(words)),)
    for split in _CHAINS:
        links = _cut(words, split)
        if len(links) > 1:
            return (_choice if split == ":" else _chain)(links, column, hang)
    return _brackets(words, column)


def _chain(links: Sequence[Sequence[Word]], column: int, hang: bool) -> Lines:
    lines = list(expression(links[0], column))
    for operator, *operand in links[1:]:
        lead = len(operator.text) + 1
        by = 0 if hang else lead
        first, *rest = expression(operand, column + by)
        lines.append((by - lead, f"{operator.text} {first[1]}"))
        lines += [(by + r, text) for r, text in rest]
    return tuple(lines)


def _choice(links: Sequence[Sequence[Word]], column: int, hang: bool) -> Lines:
    """Return a chain of `a ? b : c ? d : e`, a case on each line, the question marks aligned."""
    by = 0 if hang else 2
    cases = [_cut(link if i == 0 else link[1:], "?") for i, link in enumerate(links)]
    tests = [
        expression(case[0], column + (by if i else 0)) if len(case) > 1 else ()
        for i, case in enumerate(cases)
    ]
    single = [len(test[0][1]) for test in tests if len(test) == 1]
    numbers = max(map(_number_width, cases[:-1]))
    width = max(single, default=0) if hang else 0
    lines: list[tuple[int, str]] = []
    for i, (case, test) in enumerate(zip(cases, tests, strict=True)):
        inside = by if i else 0
        made = _case(case, test, width, column + inside)
        if len(case) > 1 and len(made) == 1 and hang and min(map(_number_width, cases[:-1])):
            text, number = made[0][1].rsplit(" ", 1)
            made = ((0, f"{text} {number.rjust(numbers)}"),)
        lead = ": " if i else ""
        lines.append((inside - len(lead), lead + made[0][1]))
        lines += [(inside + r, text) for r, text in made[1:]]
    return tuple(lines)


def _number_width(case: Sequence[Sequence[Word]]) -> int:
    """Return how wide the value of a case is if it is a number, else 0."""
    value = case[1][1:]
    return len(value[0].text) if len(value) == 1 and value[0].text[0].isdigit() else 0


def _case(case: Sequence[Sequence[Word]], test: Lines, width: int, column: int) -> Lines:
    if len(case) == 1:
        return expression(case[0], column)
    *before, (r, text) = test
    text = f"{text.ljust(width) if len(test) == 1 else text} ?"
    by = r + len(text) + 1
    return _joined((*before, (r, text)), expression(case[1][1:], column + by), by)


def _brackets(words: Sequence[Word], column: int) -> Lines:
    """Return *words* with what is in one of their brackets spread, an item a line."""
    groups = [(a, b) for a, b in _groups(words) if b > a + 1]
    if not groups:
        return ((0, flat(words)),)
    asking = [(a, b) for a, b in groups if _expression_asks(words[a:b])]
    start, end = asking[0] if asking else max(groups, key=lambda g: len(flat(words[slice(*g)])))
    lines: list[tuple[int, str]] = [(0, flat(words[: start + 1]))]
    for item in _parts(words[start + 1 : end], {","}):
        inner = item[:-1] if item[-1].split == "," else item
        made = expression(inner, column + _IN, hang=False)
        lines += [(_IN + r, text) for r, text in made]
        if len(inner) < len(item):
            lines[-1] = (lines[-1][0], f"{lines[-1][1]},")
    return (*lines, (0, flat(words[end:])))


def _groups(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yield where the outermost brackets of *words* open and close."""
    depth, opened = words[0].depth, -1
    for i, word in enumerate(words):
        if word.depth == depth and word.kind in _CLOSES:
            opened = i
        elif word.depth == depth and opened >= 0 and word.kind == _CLOSES[words[opened].kind]:
            yield opened, i
            opened = -1
