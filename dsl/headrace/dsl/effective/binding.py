"""When the value of each rule is known, and why."""

from dataclasses import dataclass

from headrace.dsl.cel.typed import Binding
from headrace.dsl.compiled import Rule
from headrace.dsl.effective.form import origin
from headrace.dsl.program import Program
from headrace.dsl.vocabulary import variables

TIMES = {
    "static": "static",
    "scrape": "per scrape",
    "request": "per request",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """One rule: when its value is known, and which of what it reads makes it so late."""

    name: str
    text: str
    origin: str
    when: str
    why: str


def bindings(program: Program) -> tuple[Bound, ...]:
    """Return every rule of *program* in order."""
    return tuple(
        Bound(
            rule.name,
            " ".join(rule.text.split()),
            origin(rule.span),
            "after the exchange" if _looks_back(rule) else TIMES[rule.stage],
            _why(rule),
        )
        for rule in program.rules
    )


def _looks_back(rule: Rule) -> bool:
    return any(name.startswith(("decision.", "response.")) for name in rule.reads)


def _why(rule: Rule) -> str:
    if not rule.reads:
        return "reads nothing"
    known = variables()
    late = {
        "static": (),
        "scrape": (Binding.SCRAPE,),
        "request": (Binding.REQUEST, Binding.BOTH, Binding.AFTER),
    }[rule.stage]
    names = [name for name in sorted(rule.reads) if name in known and known[name].binding in late]
    shown = [f"`{name}`" for name in names or sorted(rule.reads)]
    return f"reads {', '.join(shown)}"
