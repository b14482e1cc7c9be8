"""Calls of plain CEL: functions, methods, and the macros that look like them."""

from collections.abc import Sequence
from dataclasses import replace

from headrace.dsl.cel import folds, lists
from headrace.dsl.cel.declared import qualified
from headrace.dsl.cel.infer import Checker
from headrace.dsl.cel.kinds import (
    BOOL,
    DYN,
    INT,
    LITERALS,
    Base,
    Type,
    list_of,
    map_of,
    optional_of,
)
from headrace.dsl.cel.runtime import failing
from headrace.dsl.cel.signatures import LAZY
from headrace.dsl.cel.typed import Apply, Each, Op, Typed, With, node, wrong
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.syntax.tree import Call, Expr, ListOf, Literal, Name, Select

# Macros over items: how many arguments each takes, with one variable and with two.
_FOLDS = {
    "all": ((2,), (3,)),
    "exists": ((2,), (3,)),
    "exists_one": ((2,), (3,)),
    "existsOne": ((2,), (3,)),
    "filter": ((2,), ()),
    "map": ((2, 3), ()),
    "transformList": ((), (3, 4)),
    "transformMap": ((), (3, 4)),
    "transformMapEntry": ((), (3, 4)),
}


def check_call(checker: Checker, call: Call) -> Typed:
    """Return a call with its type, macros unfolded."""
    if checker.known.macros:
        found = _macro(checker, call)
        if found is not None:
            return found
    name = call.name.text
    if call.of is None:
        function = checker.known.function(name, rooted=call.rooted)
        args = tuple(checker.check(a) for a in call.args)
    else:
        path = qualified(call.of)
        function = None
        if path is not None and (path[1] or path[0][0] not in checker.locals):
            full = ".".join((*path[0], name))
            function = checker.known.function(full, rooted=path[1])
        if function is not None:
            args = tuple(checker.check(a) for a in call.args)
        else:
            function = checker.known.method(name)
            args = (checker.check(call.of), *(checker.check(a) for a in call.args))
    if function is None:
        return _unknown(checker, call, args)
    lazy = frozenset({1}) if call.of is not None and name in LAZY else frozenset[int]()
    run = {"or": lists.or_other, "orValue": lists.or_value}[name] if lazy else None
    return checker.apply(function, args, call.span, run, lazy if len(args) == 2 else frozenset())


def _unknown(checker: Checker, call: Call, args: tuple[Typed, ...]) -> Typed:
    name = call.name
    library = checker.known.library
    known = {*library.functions} if call.of is None else {*library.methods}
    help_ = did_you_mean(name.text, {n for n in known if n.isidentifier()}, "there are")
    checker.problem("S202", name.span, f"unknown function `{name.text}`", "not a function", help_)
    texts = ("type", "no such overload: unknown function")
    parts = tuple(node(Op.CONST, LITERALS["string"], call.span, value=text) for text in texts)
    del args  # an unknown function fails whatever it is given
    return node(Op.APPLY, DYN, call.span, parts, Apply(failing), fails=True)


def _macro(checker: Checker, call: Call) -> Typed | None:
    name, args = call.name.text, call.args
    if call.of is None:
        return _has(checker, call, args[0]) if name == "has" and len(args) == 1 else None
    if isinstance(call.of, Name) and call.of.text == "cel" and "cel" not in checker.locals:
        return _cel(checker, call)
    if name in _FOLDS and len(args) in (one_two := _FOLDS[name])[0] + one_two[1]:
        return _fold(checker, call, two=len(args) in one_two[1])
    if name in ("optMap", "optFlatMap") and len(args) == 2:
        return _opt_map(checker, call)
    if name == "sortBy" and len(args) == 2:
        return _sort_by(checker, call)
    return None


def _has(checker: Checker, call: Call, arg: Expr) -> Typed:
    if not isinstance(arg, Select):
        message = "invalid argument to `has`: it takes a field, such as `has(a.b)`"
        checker.problems.add("S203", arg.span, message, "not a field")
        return wrong(call.span)
    # The field itself is checked too; its code is not used.
    if arg.optional:
        checker.problem("S203", arg.span, "`has` takes a plain field", "optional")
    path = qualified(arg)
    of = checker.check(arg.of)
    if path is not None and not of.type.known and not of.type.loose:
        return wrong(call.span)
    if of.type.base not in (Base.MAP, Base.DYN, Base.UNKNOWN, Base.OPTIONAL):
        checker.problem("S203", arg.member.span, f"a {of.type} has no fields", "not a field")
    key = node(Op.CONST, LITERALS["string"], arg.member.span, value=arg.member.text)
    return node(Op.APPLY, BOOL, call.span, (of, key), Apply(lists.has_field), fails=True)


def _variable(checker: Checker, expr: Expr) -> str | None:
    """Return the name of a macro's variable; reported if it is none."""
    match expr:
        case Name(rooted=False):
            return expr.text
        case Call(of=Name(text="cel"), args=(Literal(value=int(a)), Literal(value=int(b)))) if (
            expr.name.text in ("iterVar", "accuVar")
        ):
            return f"@{expr.name.text}:{a}:{b}"
        case _:
            message = "the argument must be a simple name"
            checker.problems.add("S203", expr.span, message, "not a name")
            return None


def _item_types(items: Type, *, two: bool) -> tuple[Type, ...]:
    """Return the types of a macro's variables."""
    item = items.item or DYN
    match items.base:
        case Base.LIST:
            return (INT, item) if two else (item,)
        case Base.MAP:
            key = items.key or DYN
            return (key, item) if two else (key,)
        case _:
            return (DYN, DYN) if two else (DYN,)


def _fold(checker: Checker, call: Call, *, two: bool) -> Typed:
    assert call.of is not None
    items = checker.check(call.of)
    if items.type.base not in (Base.LIST, Base.MAP) and not items.type.loose:
        message = f"`{call.name.text}` goes through a list or a map"
        checker.problem("S203", items.span, message, f"this is a {items.type}")
    names = [_variable(checker, e) for e in call.args[: 1 + two]]
    if None in names:
        return wrong(call.span)
    if two and names[0] == names[1]:
        checker.problems.add("S207", call.args[1].span, "both variables have one name", "again")
    level, variable = checker.level, f"v{checker.level}"
    codes = (f"{variable}[0]", f"{variable}[1]") if two else (variable,)
    types = _item_types(items.type, two=two)
    bound = {
        str(name): Typed(Op.LOCAL, type_, call.span, value=code, free=frozenset({variable}))
        for name, type_, code in zip(names, types, codes, strict=True)
    }
    inner = checker.binding(bound)
    rest = tuple(inner.check(e) for e in call.args[1 + two :])
    name = call.name.text
    test = len(rest) == 2
    if test or name in ("all", "exists", "exists_one", "existsOne", "filter"):
        checker.want(rest[0], Base.BOOL, f"the test of `{name}`")
    each = Each(name, level, two, test)
    type_ = _fold_type(name, items.type, types, rest[-1].type)
    return node(Op.EACH, type_, call.span, (items, *rest), each, fails=True, bound=variable)


def _fold_type(name: str, items: Type, types: Sequence[Type], body: Type) -> Type:
    match name:
        case "map" | "transformList":
            return list_of(body)
        case "filter":
            return list_of(types[0])
        case "transformMap":
            return map_of(types[0], body)
        case "transformMapEntry":
            return body
        case _:
            return BOOL


def _bound(checker: Checker, name: str, value: Typed, *, lazy: bool) -> Checker:
    variable = f"v{checker.level}"
    code = f"{variable}()" if lazy else variable
    free = frozenset({variable})
    local = Typed(Op.LOCAL, value.type, value.span, value=code, free=free, fails=lazy)
    return checker.binding({name: local})


def _opt_map(checker: Checker, call: Call) -> Typed:
    assert call.of is not None
    of, name = checker.check(call.of), _variable(checker, call.args[0])
    if name is None:
        return wrong(call.span)
    checker.want(of, Base.OPTIONAL, f"what `{call.name.text}` changes")
    item = replace(of, type=of.type.item or DYN)
    body = _bound(checker, name, item, lazy=False).check(call.args[1])
    if call.name.text == "optMap":
        type_, run = optional_of(body.type), lists.opt_map
    else:
        checker.want(body, Base.OPTIONAL, "what `optFlatMap` gives")
        type_, run = body.type, lists.opt_flat_map
    level = checker.level
    return node(Op.WITH, type_, call.span, (of, body), With(run, level), fails=True,
                bound=f"v{level}")  # fmt: skip


def _sort_by(checker: Checker, call: Call) -> Typed:
    assert call.of is not None
    of, name = checker.check(call.of), _variable(checker, call.args[0])
    if name is None:
        return wrong(call.span)
    checker.want(of, Base.LIST, "what `sortBy` sorts")
    item = replace(of, type=of.type.item or DYN)
    body = _bound(checker, name, item, lazy=False).check(call.args[1])
    level = checker.level
    with_ = With(folds.sort_by, level)
    return node(Op.WITH, of.type, call.span, (of, body), with_, fails=True, bound=f"v{level}")


def _cel(checker: Checker, call: Call) -> Typed | None:
    name, args = call.name.text, call.args
    match name:
        case "bind" if len(args) == 3:
            variable = _variable(checker, args[0])
            if variable is None:
                return wrong(call.span)
            return _let(checker, call, variable, args[1], args[2])
        case "block" if len(args) == 2 and isinstance(args[0], ListOf):
            return _block(checker, call, args[0].items, args[1])
        case "index" if len(args) == 1 and isinstance(args[0], Literal):
            return _indexed(checker, call, f"@index{args[0].value!r}")
        case "iterVar" | "accuVar" if len(args) == 2:
            return _indexed(checker, call, _variable(checker, call) or "")
        case _:
            return None


def _let(checker: Checker, call: Call, name: str, init: Expr, body: Expr) -> Typed:
    value = checker.check(init)
    lazy = value.fails
    inner = _bound(checker, name, value, lazy=lazy).check(body)
    level = checker.level
    with_ = With(folds.bind, level, lazy)
    found = node(Op.WITH, inner.type, call.span, (value, inner), with_, bound=f"v{level}")
    return replace(found, fails=inner.fails)


def _block(checker: Checker, call: Call, items: tuple[Expr, ...], body: Expr) -> Typed:
    """Return `cel.block([a, b], e)`: e, in which cel.index(0) is a and so on."""
    return _blocks(checker, call, items, 0, body)


def _blocks(checker: Checker, call: Call, items: tuple[Expr, ...], at: int, body: Expr) -> Typed:
    if at == len(items):
        return checker.check(body)
    value = checker.check(items[at])
    inner = _blocks(_bound(checker, f"@index{at}", value, lazy=True), call, items, at + 1, body)
    level = checker.level
    with_ = With(folds.bind, level, lazy=True)
    return node(Op.WITH, inner.type, call.span, (value, inner), with_, bound=f"v{level}")


def _indexed(checker: Checker, call: Call, name: str) -> Typed:
    if name in checker.locals:
        return replace(checker.locals[name], span=call.span)
    checker.problems.add("S201", call.span, "this variable is not bound here", "not known")
    return wrong(call.span)
