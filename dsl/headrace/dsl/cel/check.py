"""Give every part of an expression its type and range, or say why it has none."""

from headrace.dsl.cel import calls, operators
from headrace.dsl.cel.interval import FALSE, TRUE, Interval, union
from headrace.dsl.cel.kinds import (
    BOOL,
    LITERALS,
    STRING,
    UNKNOWN,
    Base,
    Type,
    same,
)
from headrace.dsl.cel.scope import Scope, path, proven
from headrace.dsl.cel.typed import LOOP, Op, Typed, Variable, node, wrong
from headrace.dsl.source import Span
from headrace.dsl.suggest import closest, did_you_mean
from headrace.dsl.tree import (
    Binary,
    Call,
    Expr,
    Index,
    ListOf,
    Literal,
    MapOf,
    Name,
    Select,
    Ternary,
    Unary,
    Written,
)

SIZE_MAX, DEPTH_MAX = 2000, 60


def check(written: Written, scope: Scope) -> Typed:
    """Return *written* checked; its problems go to the scope's."""
    typed = check_expr(written.expr, scope)
    if typed.size > SIZE_MAX or typed.depth > DEPTH_MAX:
        message = "this expression is too large once its `let`s are put in"
        label = f"{typed.size} parts, {typed.depth} levels"
        scope.problems.add("S110", written.span, message, label, "at most 2000 parts, 60 levels")
        return wrong(written.span)
    return typed


def check_expr(expr: Expr, scope: Scope) -> Typed:
    """Return *expr* checked; of an UNKNOWN type if that was not possible."""
    match expr:
        case Literal():
            return _literal(expr)
        case Name():
            return _name(expr, scope)
        case Select():
            return _select(expr, scope)
        case Index():
            return _index(expr, scope)
        case Call():
            return calls.check_call(expr, scope, check_expr)
        case Unary():
            return operators.check_unary(expr, scope, check_expr)
        case Binary():
            return operators.check_binary(expr, scope, check_expr)
        case Ternary():
            return _ternary(expr, scope)
        case ListOf():
            return _list(expr, scope)
        case MapOf():
            return _map(expr, scope)


def _literal(expr: Literal) -> Typed:
    value = expr.value
    if isinstance(value, bool):
        return node(Op.CONST, BOOL, expr.span, value=value, range_=TRUE if value else FALSE)
    range_ = Interval(value, value) if isinstance(value, int | float) else None
    return node(Op.CONST, LITERALS[expr.kind], expr.span, value=value, range_=range_)


def _name(expr: Name, scope: Scope) -> Typed:
    name = expr.text
    if name in scope.locals:
        local = scope.locals[name]
        return Typed(local.op, local.type, expr.span, (), local.value, free=local.free)
    if name in scope.broken:
        return wrong(expr.span)
    if name in scope.lets:
        return _let(name, expr.span, scope)
    roots = {v.root for v in scope.variables.values()}
    if name in roots:
        fields = sorted(v.name for v in scope.variables.values() if v.root == name)
        help_ = f"it has: {', '.join(f.partition('.')[2] for f in fields)}"
        message = f"`{name}` is not a value by itself"
        scope.problems.add("S203", expr.span, message, "which field of it?", help_)
        return wrong(expr.span)
    _unknown_name(expr, roots, scope)
    return wrong(expr.span)


def _unknown_name(expr: Name, roots: set[str], scope: Scope) -> None:
    name = expr.text
    if name in scope.later:
        message = f"`{name}` does not exist yet in expressions"
        scope.problems.add("S108", expr.span, message, "part of a later edition", scope.later[name])
        return
    if name in scope.others:
        what = scope.others[name]
        help_ = f"{what} is used by name in a `profile`; to use an expression in others write `let`"
        if what == "a later `let`":
            help_ = "a `let` is known below its definition: move it up"
        message = f"`{name}` is {what}, not a value"
        scope.problems.add("S206", expr.span, message, "not known here", help_)
        return
    known = {*scope.locals, *scope.lets, *(roots & scope.roots)}
    near = [v for v in scope.variables.values() if v.root in scope.roots]
    near.sort(key=lambda v: v.root != LOOP)
    fields = {v.name.partition(".")[2]: v.name for v in reversed(near)}
    help_ = did_you_mean(name, known, "known")
    if name in fields:
        help_ = f"did you mean `{fields[name]}`?"
    scope.problems.add("S201", expr.span, f"unknown name `{name}`", "not known here", help_)


def _let(name: str, span: Span, scope: Scope) -> Typed:
    let = scope.lets[name]
    for read in sorted(let.reads):
        if read.partition(".")[0] not in scope.roots:
            message = f"`{name}` reads `{read}`, which is not known in {scope.where}"
            scope.problems.add("S206", span, message, "not known here")
            return wrong(span)
    return Typed(
        let.op, let.type, span, let.args, let.value, let.range, let.fails,
        let.free, let.reads, let.size, let.depth,
    )  # fmt: skip


def _select(expr: Select, scope: Scope) -> Typed:
    if isinstance(expr.of, Name) and expr.of.text not in {*scope.locals, *scope.lets}:
        root = expr.of.text
        if any(v.root == root for v in scope.variables.values()):
            return _field(expr, root, scope)
    of = check_expr(expr.of, scope)
    if of.type.base is Base.MAP and of.type.item is not None and of.type.key is Base.STRING:
        key = node(Op.CONST, STRING, expr.member.span, value=expr.member.text)
        return node(Op.AT, of.type.item, expr.span, (of, key), fails=True)
    if of.type.known:
        message = f"{operators.described(of)} and has no fields"
        scope.problems.add("S203", expr.member.span, message, "not a field")
    return wrong(expr.span, (of,))


def _field(expr: Select, root: str, scope: Scope) -> Typed:
    name = path(expr)
    variable = scope.variables.get(name)
    if variable is None:
        _unknown_field(expr, root, scope)
        return wrong(expr.span)
    if root not in scope.roots:
        message = f"`{root}` is not known in {scope.where}"
        known = ", ".join(f"`{r}`" for r in sorted(scope.roots))
        scope.problems.add("S206", expr.span, message, "not known here", f"known here: {known}")
        return wrong(expr.span)
    if variable.optional and name not in scope.present:
        help_ = f"write `has({name}) && ...`, or give both cases: `has({name}) ? {name} : 0%`"
        message = f"`{name}` may be missing"
        scope.problems.add("S316", expr.span, message, "read without `has`", help_)
    return read(variable, expr.span)


def read(variable: Variable, span: Span) -> Typed:
    """Return the node that reads *variable*."""
    free = frozenset({LOOP}) if variable.root == LOOP else frozenset[str]()
    reads = frozenset({variable.name})
    return Typed(Op.READ, variable.type, span, (), variable, variable.range, free=free, reads=reads)


def _unknown_field(expr: Select, root: str, scope: Scope) -> None:
    name, word = path(expr), expr.member
    if name in scope.later:
        message = f"`{name}` does not exist yet"
        scope.problems.add("S108", word.span, message, "part of a later edition", scope.later[name])
        return
    fields = {v.name.partition(".")[2] for v in scope.variables.values() if v.root == root}
    elsewhere = [
        v.name
        for v in scope.variables.values()
        if v.root in scope.roots and v.name.endswith(f".{word.text}")
    ]
    help_ = did_you_mean(word.text, fields, f"`{root}` has")
    if elsewhere and closest(word.text, fields) is None:
        help_ = f"did you mean `{elsewhere[0]}`?"
    label = f"not a field of `{root}`"
    scope.problems.add("S201", word.span, f"unknown name `{name}`", label, help_)


def _index(expr: Index, scope: Scope) -> Typed:
    of, at = check_expr(expr.of, scope), check_expr(expr.at, scope)
    if not (of.type.known and at.type.known):
        return wrong(expr.span, (of, at))
    if of.type.item is None:
        message = f"{operators.described(of)} and cannot be indexed"
        scope.problems.add("S203", expr.of.span, message, "neither a list nor a map")
        return wrong(expr.span, (of, at))
    if not of.type.item.known:
        return _empty(of, scope)
    wanted = Base.INT if of.type.base is Base.LIST else of.type.key
    if at.type.base is not wanted:
        message = f"the index must be {operators.article(wanted.value)}"
        scope.problems.add("S203", expr.at.span, message, operators.described(at, short=True))
        return wrong(expr.span, (of, at))
    return node(Op.AT, of.type.item, expr.span, (of, at), fails=True)


def _empty(of: Typed, scope: Scope) -> Typed:
    """Report that an empty literal is asked for what it holds."""
    scope.problems.add("S203", of.span, "this is empty and holds nothing", "empty")
    return wrong(of.span, (of,))


def _ternary(expr: Ternary, scope: Scope) -> Typed:
    test = operators.want_bool(check_expr(expr.test, scope), scope, "the condition before `?`")
    yes = check_expr(expr.yes, scope.knowing(proven(expr.test, True)))
    no = check_expr(expr.no, scope.knowing(proven(expr.test, False)))
    if not (test.type.known and yes.type.known and no.type.known):
        return wrong(expr.span, (test, yes, no))
    if not same(yes.type, no.type):
        message = (
            f"one branch is {operators.article(yes.type)}, the other {operators.article(no.type)}"
        )
        help_ = operators.number_fix(yes, no)
        scope.problems.add(
            "S203", expr.no.span, message, operators.described(no, short=True), help_
        )
        return wrong(expr.span, (test, yes, no))
    unit = yes.type if yes.type.unit is no.type.unit else Type(yes.type.base)
    type_ = unit if yes.type.numeric else yes.type
    range_ = (
        union(yes.numbers, no.numbers) if yes.range is not None or no.range is not None else None
    )
    return node(Op.COND, type_, expr.span, (test, yes, no), range_=range_)


def _list(expr: ListOf, scope: Scope) -> Typed:
    items = tuple(check_expr(i, scope) for i in expr.items)
    first = items[0].type if items else UNKNOWN
    if not _alike(items, scope, "items of a list"):
        return wrong(expr.span, items)
    return node(Op.LIST, Type(Base.LIST, item=first), expr.span, items)


def _alike(items: tuple[Typed, ...], scope: Scope, what: str) -> bool:
    for item in items:
        if not item.type.known:
            return False
        if not same(item.type, items[0].type):
            first = operators.article(items[0].type)
            message = f"the {what} have one type, and the first is {first}"
            scope.problems.add("S203", item.span, message, operators.described(item, short=True))
            return False
    return True


def _map(expr: MapOf, scope: Scope) -> Typed:
    keys = tuple(check_expr(k, scope) for k, _ in expr.entries)
    values = tuple(check_expr(v, scope) for _, v in expr.entries)
    args = tuple(a for pair in zip(keys, values, strict=True) for a in pair)
    if not (_alike(keys, scope, "keys of a map") and _alike(values, scope, "values of a map")):
        return wrong(expr.span, args)
    seen: set[object] = set()
    for key in keys:
        if key.op is not Op.CONST or key.type.base not in (Base.STRING, Base.INT):
            message = "the keys of a map are string or int literals"
            scope.problems.add("S203", key.span, message, "not such a literal")
            return wrong(expr.span, args)
        if key.value in seen:
            scope.problems.add("S207", key.span, "a map has this key twice", "second time")
        seen.add(key.value)
    item = values[0].type if values else UNKNOWN
    key_base = keys[0].type.base if keys else STRING.base
    return node(Op.MAP, Type(Base.MAP, item=item, key=key_base), expr.span, args)
