"""Policies in any layout: the words of real ones, with any space and comments between them."""

from pathlib import Path

from hypothesis import strategies as st

from headrace.dsl.format import format_source
from headrace.dsl.format.words import Word, read
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Source
from headrace.dsl.syntax import blocks
from headrace.dsl.syntax.reading import read_source

ROOT = Path(__file__).parents[3]
GIVEN = sorted(
    path
    for folder in ("policies", "examples", "tests/dsl/whole")
    for path in (ROOT / folder).rglob("*.sched")
)
_NAMES = ("a", "endpoint.queue", "request.model", 'request.header("x")', ".b.c", "e.?f", "x[?y]")
_VALUES = ("5", "-1", "80%", "1.5", "2u", "200ms", "4MB", '"s # no comment"', "r'\\d'", "true")
_FORMS = (
    "({})", "!{}", "-{}", "{} && {}", "{} || {}", "{} + {}", "{} - {}", "{} * {}", "{} % {}",
    "{} < {}", "{} == {}", "{} in {}", "({} ? {} : {})", "f({}, {})", "{}.g({})", "{}[{}]",
    "[{}, {}]", "[?{}, {},]", '{{"k": {}, ?"l": {}}}', "[]", "{{}}", "a ? {} : b ? {} : {}",
)  # fmt: skip
_SPACES = (" ", " ", " ", "  ", "\n", "\n", "\n\n\n", "\t", " # what\n", "\n# own\n  ", "\r\n")


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> str:
    """Draw an expression, of any types."""
    if not depth or draw(st.booleans()):
        return draw(st.sampled_from(_NAMES + _VALUES))
    form = draw(st.sampled_from(_FORMS))
    parts = [draw(expressions(depth - 1)) for _ in range(form.replace("{{}}", "").count("{}"))]
    return form.format(*(f"({part})" if " ? " in part else part for part in parts))


@st.composite
def blocks_of_rules(draw: st.DrawFn) -> str:
    """Draw a file of blocks around any expressions."""
    one, two, three = (draw(expressions()) for _ in range(3))
    return f"""sched 1
filter f = {one}
let a: list<string> = {two}
class c when {three} {{ also priority -1 }}
overload for p when {one} {{ shed any when {two} with 503 "no" retry after 1s
  queue by {three} fair by {one}, {two} for up to 2s, at most 9 }}
overload when {two} {{ shed when {one} with chance {three} with 429 "later"
  queue strictly by {one} fair in tokens by {two} soonest deadline first
    for up to 2s, at most 9, at most 64MB }}
pool sleepy {{ endpoints "a:1" wait up to 30s for endpoints, at most 100 }}
profile q extends r {{ score 3 * s + t pick max ties by {three} use plugin u {{ v 3 tokens }} }}
trace {{ always when {one} attribute b = {two} }}
test "t" {{ given pool p {{ endpoint e {three} }} table x, y | {one}, {two} | 1, 2 expect {three} }}
"""


@st.composite
def laid_out(draw: st.DrawFn, text: str) -> str:
    """Draw a layout of *text*: the same words with any space between them."""
    parts: list[str] = [draw(st.sampled_from(("", "\ufeff", "# first\n\n")))]
    for block in blocks.split(Source("x", text)):
        words, _ = read(block.span.text, "header" if block.keyword == "sched" else "item")
        for i, word in enumerate(words):
            tight = i and not word.space and draw(st.booleans())
            parts.append("" if tight else draw(st.sampled_from(_SPACES)) if i else "\n")
            parts.append(word.text)
    return "".join((*parts, draw(st.sampled_from(_SPACES))))


def said(text: str) -> str | None:
    """Return what *text* says, without places; None if there is a mistake in it."""
    problems = Problems()
    declarations = read_source(Source("x.sched", text), problems)
    broken = any(d.code.startswith("S1") for d in problems.found)
    return None if broken else repr(declarations)


def comments(text: str) -> list[str]:
    """Return the comments in *text*, in order."""
    return [found.group().rstrip() for found in blocks.comments(text)]


def words(text: str) -> list[Word]:
    """Return the words of *text*, in order."""
    found: list[Word] = []
    for block in blocks.split(Source("x", text)):
        found += read(block.span.text, "header" if block.keyword == "sched" else "item")[0]
    return found


def formatted(text: str) -> str:
    """Return *text* formatted; it has no mistake of syntax."""
    made = format_source(Source("x.sched", text))
    assert isinstance(made, str), made
    return made


def keeps_what_matters(text: str) -> None:
    """Assert that formatting *text* changes its layout only, and nothing the second time."""
    made = formatted(text)

    assert words(made) == words(text)
    assert said(made) == said(text)
    assert comments(made) == comments(text)
    assert formatted(made) == made
    assert made.endswith("\n")
    assert not [line for line in made.split("\n") if line != line.rstrip()]
    assert "\n\n\n" not in made
