"""Who is called what: finds duplicates, unknown names, and what nobody uses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from headrace.dsl import library
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import closest, did_you_mean
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.blocks import OPENERS
from headrace.dsl.syntax.tree import Word

EXPRESSIONS = ("filter", "scorer", "cost", "let")
_UNKNOWN = {
    "pool": "S209",
    "profile": "S210",
    "filter": "S211",
    "scorer": "S212",
    "cost": "S223",
    "objective": "S224",
    "model": "S227",
    "guard": "S230",
}
_RESERVED = OPENERS | {
    "request", "endpoint", "decision", "response", "candidates", "now", "math", "true", "false",
    "null", "in", "has",
}  # fmt: skip
_OVERRIDDEN = frozenset(
    ("pool", "model", "class", "objective", "profile", "guard", "stage", "chain", *EXPRESSIONS)
)
_NAME_CHARS_MAX = 200
DEFAULT = "default"


@dataclass(slots=True)
class Names:
    """Every definition by kind and name. Written while one policy is compiled.

    others  named expressions, for who takes one for a value: name -> what it is
    """

    problems: Problems
    words: dict[tuple[str, str], Word] = field(default_factory=dict[tuple[str, str], Word])
    broken: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    used: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    others: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, kind: str) -> set[str]:
        """Return the names of that kind, broken definitions included."""
        return {n for k, n in self.words if k == kind} | self.broken.get(kind, set())

    def find(self, kind: str, word: Word) -> bool:
        """Return whether *word* is defined and readable, and note that it is used."""
        if kind == "profile" and word.text == DEFAULT:
            return True  # built in, if nobody defines it
        if (kind, word.text) in self.words:
            self.used.add((kind, word.text))
            return True
        if word.text not in self.broken.get(kind, set()) and not self.incomplete:
            self._unknown(kind, word)
        return False

    @property
    def incomplete(self) -> bool:
        """Whether a file that might define anything could not be read."""
        return "import" in self.broken

    def _unknown(self, kind: str, word: Word) -> None:
        help_ = did_you_mean(word.text, self.of(kind), f"the {kind}s are")
        of_library = [n for n in library.names() if library.definition(n).kind == kind]
        near = closest(word.text, [*self.of(kind), *of_library])
        if near is not None:
            help_ = f"did you mean `{near}`?"
        meant = closest(word.text, self.of(kind))
        if meant is not None:
            self.used.add((kind, meant))  # or it would be reported as never used, too
        for other in EXPRESSIONS:
            if other != kind and (other, word.text) in self.words and kind in EXPRESSIONS:
                self.used.add((other, word.text))
                help_ = f"`{word.text}` is a {other}; a {kind} is needed here"
        label = f"no such {kind}"
        self.problems.add(_UNKNOWN[kind], word.span, f"unknown {kind} `{word.text}`", label, help_)

    def unused(self, kind: str) -> Iterable[Word]:
        """Yield the definitions of that kind that nothing refers to."""
        for (k, name), word in self.words.items():
            if k == kind and (kind, name) not in self.used:
                yield word

    def define(self, kind: str, word: Word) -> None:
        """Note a definition, or report that the name is taken or not allowed."""
        shared = EXPRESSIONS if kind in EXPRESSIONS else (kind,)
        for other in shared:
            first = self.words.get((other, word.text))
            if first is not None:
                message = f"`{word.text}` is defined twice"
                related = (Related(first.span, "first definition"),)
                help_ = "rename one of them"
                if first.span.source is not word.span.source and kind in _OVERRIDDEN:
                    help_ = f"to change it write `override {kind} {word.text} ...`, or rename one"
                self.problems.add("S207", word.span, message, "second definition", help_, related)
                return
        self.words[kind, word.text] = word
        if kind in EXPRESSIONS:
            self.others[word.text] = "a later `let`" if kind == "let" else f"a {kind}"
        self._form(kind, word)

    def _form(self, kind: str, word: Word) -> None:
        text = word.text
        if kind in EXPRESSIONS and text in _RESERVED:
            message = f"`{text}` is a word of the language"
            self.problems.add("S215", word.span, message, f"not a name for a {kind}", "rename it")
        if (
            not text
            or len(text) > _NAME_CHARS_MAX
            or not text.isprintable()
            or text != text.strip()
        ):
            message = f"this is not a name for a {kind}"
            help_ = f"1 to {_NAME_CHARS_MAX} printable characters, no space at either end"
            self.problems.add("S215", word.span, message, "not a name", help_)


def gather(blocks: Sequence[said.Block | said.Unreadable], problems: Problems) -> Names:
    """Return the names that *blocks* define."""
    names = Names(problems)
    for block in blocks:
        match block:
            case said.Unreadable(keyword, found):
                names.broken.setdefault(keyword, set()).update(found)
            case said.ModelBlock():
                for word, alias in zip(block.names, block.aliases, strict=True):
                    names.define("model", word)
                    if alias is not None:
                        names.define("model", alias)
            case said.OverloadBlock() | said.SafetyBlock() | said.TrustBlock():
                pass  # these have no name
            case said.TraceBlock() | said.ImportBlock():
                pass  # these have no name
            case _:
                names.define(said.keyword(block), block.name)
    return names
