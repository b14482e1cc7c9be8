"""The types that a `let` may be declared with."""

from dataclasses import replace

from headrace.dsl.cel import kinds
from headrace.dsl.cel.kinds import Type, Unit, same
from headrace.dsl.cel.operators import article, described
from headrace.dsl.cel.typed import Typed
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.syntax.declarations import RuleBlock, TypeName

TYPES = {
    "bool": kinds.BOOL,
    "int": kinds.INT,
    "double": kinds.DOUBLE,
    "string": kinds.STRING,
    "duration": kinds.DURATION,
    "ratio": kinds.RATIO,
    "count": kinds.COUNT,
    "tokens": kinds.TOKENS,
    "bytes": kinds.BYTES,
}


def declared(typed: Typed, block: RuleBlock, problems: Problems) -> Typed:
    """Return the value of a `let` with the type that it is declared to have."""
    if block.type is None:
        return typed
    wanted = _type(block.type, problems)
    if wanted is None or not typed.type.known:
        return typed
    fits = same(wanted, typed.type)
    units = {wanted.unit, typed.type.unit}
    if fits and (Unit.NONE in units or len(units) == 1):
        return replace(typed, type=wanted)
    code = "S204" if fits else "S203"
    message = f"`{block.name.text}` is declared to be {article(wanted)}"
    label = described(typed, short=True)
    related = (Related(block.type.word.span, "declared here"),)
    problems.add(code, block.value.span, message, label, "", related)
    return replace(typed, type=wanted) if fits else typed


def _type(name: TypeName, problems: Problems) -> Type | None:
    word = name.word
    wanted = {"list": 1, "map": 2}.get(word.text, 0)
    if word.text not in TYPES and not wanted:
        help_ = did_you_mean(word.text, {*TYPES, "list", "map"}, "types")
        problems.add("S214", word.span, f"there is no type `{word.text}`", "unknown", help_)
        return None
    if len(name.items) != wanted:
        forms = {"list": "write `list<string>`", "map": "write `map<string, int>`"}
        message = f"`{word.text}` takes {wanted or 'no'} type{'s' * (wanted != 1)} in `<...>`"
        problems.add("S203", word.span, message, "", forms.get(word.text, f"write `{word.text}`"))
        return None
    items = [_type(item, problems) for item in name.items]
    match items:
        case []:
            return TYPES[word.text]
        case [Type() as item]:
            return kinds.list_of(item)
        case [Type() as key, Type() as item]:
            return kinds.map_of(key, item)
        case _:
            return None
