"""Who is called what: finds duplicates, unknown names, and what nobody uses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from headrace.dsl import tree
from headrace.dsl.blocks import OPENERS
from headrace.dsl.diagnostic import Problems, Related
from headrace.dsl.suggest import closest, did_you_mean
from headrace.dsl.tree import Word

EXPRESSIONS = ("filter", "scorer", "let")
_UNKNOWN = {"pool": "S209", "profile": "S210", "filter": "S211", "scorer": "S212"}
_RESERVED = OPENERS | {"request", "endpoint", "now", "math", "true", "false", "null", "in", "has"}
_NAME_CHARS_MAX = 200
DEFAULT = "default"


@dataclass(slots=True)
class Names:
    """Every definition by kind and name. Written while one policy is compiled."""

    problems: Problems
    words: dict[tuple[str, str], Word] = field(default_factory=dict[tuple[str, str], Word])
    broken: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    used: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

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
        if word.text not in self.broken.get(kind, set()):
            self._unknown(kind, word)
        return False

    def _unknown(self, kind: str, word: Word) -> None:
        help_ = did_you_mean(word.text, self.of(kind), f"the {kind}s are")
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
                self.problems.add(
                    "S207", word.span, message, "second definition", "rename one of them", related
                )
                return
        self.words[kind, word.text] = word
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


def gather(declarations: Sequence[tree.Declaration], problems: Problems) -> Names:
    """Return the names that *declarations* define."""
    names = Names(problems)
    for declaration in declarations:
        match declaration:
            case tree.Unreadable(keyword, found):
                names.broken.setdefault(keyword, set()).update(found)
            case tree.ModelBlock():
                for word in declaration.names:
                    names.define("model", word)
            case tree.RuleBlock():
                names.define(declaration.kind, declaration.name)
            case tree.PoolBlock():
                names.define("pool", declaration.name)
            case tree.ClassBlock():
                names.define("class", declaration.name)
            case tree.ProfileBlock():
                names.define("profile", declaration.name)
            case tree.GuardBlock():
                names.define("guard", declaration.name)
            case tree.ChainBlock():
                names.define("chain", declaration.name)
            case tree.OverloadBlock() | tree.TrustBlock():
                pass  # these have no name
    return names
