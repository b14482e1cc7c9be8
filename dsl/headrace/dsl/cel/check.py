"""Give every part of an expression its type and range, or say why it has none."""

from collections.abc import Sequence
from dataclasses import replace

from headrace.dsl.cel import calls, cost, infer, operators, standard
from headrace.dsl.cel.declared import TYPE_NAMES
from headrace.dsl.cel.interval import FALSE, TRUE, Interval, union
from headrace.dsl.cel.kinds import (
    BOOL,
    LITERALS,
    STRING,
    UNKNOWN,
    Base,
    Type,
    bare,
    optional_of,
    same,
    type_of,
)
from headrace.dsl.cel.library import joined
from headrace.dsl.cel.scope import Scope, path
from headrace.dsl.cel.typed import LOOP, Make, Op, Typed, Variable, node, wrong
from headrace.dsl.cel.values import TypeName, name_of
from headrace.dsl.problems.suggest import closest, did_you_mean
from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import (
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
    steps = cost.steps(typed)
    if steps > cost.STEPS_MAX:
        message = "this expression could take too many steps"
        label = f"up to {steps:_} for each evaluation"
        help_ = f"at most {cost.STEPS_MAX:_}: nest fewer macros, or shorten the lists"
        scope.problems.add("S318", written.span, message, label, help_)
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
    if expr.kind == "uint":
        return infer.constant(expr)
    value = expr.value
    if isinstance(value, bool):
        return node(Op.CONST, BOOL, expr.span, value=value, range_=TRUE if value else FALSE)
    range_ = Interval(value, value) if isinstance(value, int | float) else None
    return node(Op.CONST, LITERALS[expr.kind], expr.span, value=value, range_=range_)


def _name(expr: Name, scope: Scope) -> Typed:
    name = expr.text
    if name in scope.locals and not expr.rooted:
        return replace(scope.locals[name], span=expr.span)
    if name in scope.broken:
        return wrong(expr.span)
    if name in scope.lets:
        return _let(name, expr.span, scope)
    if name in scope.variables and name in scope.roots:
        return read(scope.variables[name], expr.span)
    roots = {v.root for v in scope.variables.values()}
    if name in roots & scope.roots:
        fields = sorted(v.name for v in scope.variables.values() if v.root == name)
        help_ = f"it has: {', '.join(f.partition('.')[2] for f in fields)}"
        message = f"`{name}` is not a value by itself"
        scope.problems.add("S203", expr.span, message, "which field of it?", help_)
        return wrong(expr.span)
    if name in TYPE_NAMES:
        type_ = TYPE_NAMES[name]
        return node(Op.CONST, type_of(type_), expr.span, value=TypeName(name_of(type_.base)))
    _unknown_name(expr, roots, scope)
    return wrong(expr.span)


def _unknown_name(expr: Name, roots: set[str], scope: Scope) -> None:
    name = expr.text
    if name in roots - scope.roots:
        known = ", ".join(f"`{root}`" for root in sorted(scope.roots & roots))
        message = f"`{name}` is not known in {scope.where}"
        scope.problems.add("S206", expr.span, message, "not known here", f"known: {known}")
        return
    if name in scope.others:
        what = scope.others[name]
        help_ = f"{what} is used by name in a `profile`; to use an expression in others write `let`"
        if what == "a later `let`":
            help_ = "a `let` is known below its definition: move it up"
        message = f"`{name}` is {what}, not a value"
        scope.problems.add("S206", expr.span, message, "not known here", help_)
        return
    near_names = {*scope.locals, *scope.lets, *(roots & scope.roots)}
    near = [v for v in scope.variables.values() if v.root in scope.roots]
    near.sort(key=lambda v: v.root != LOOP)
    fields = {v.name.partition(".")[2]: v.name for v in reversed(near)}
    help_ = did_you_mean(name, near_names, "known")
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
    if _is_field(expr, scope):
        return _field(expr, path(expr).partition(".")[0], scope)
    of = check_expr(expr.of, scope)
    plain = of.type.base is Base.MAP and of.type.key == STRING and not expr.optional
    if plain and of.type.item is not None and operators.is_own(of.type):
        key = node(Op.CONST, STRING, expr.member.span, value=expr.member.text)
        return node(Op.AT, of.type.item, expr.span, (of, key), fails=True)
    found = standard.field(of, expr.member.text, expr.span, optional=expr.optional)
    if found is not None:
        return found
    if of.type.known:
        message = f"{operators.described(of)} and has no fields"
        scope.problems.add("S203", expr.member.span, message, "not a field")
    return wrong(expr.span, (of,))


def _is_field(expr: Select, scope: Scope) -> bool:
    """Whether *expr* is a name of the vocabulary, or would have to be one."""
    name, of = path(expr), path(expr.of)
    root = name.partition(".")[0]
    if not name or root in {*scope.locals, *scope.lets}:
        return False
    if not of:
        return any(v.root == root and v.name != root for v in scope.variables.values())
    return name in scope.variables or any(n.startswith(f"{of}.") for n in scope.variables)


def _field(expr: Select, root: str, scope: Scope) -> Typed:
    name = path(expr)
    variable = scope.variables.get(name)
    if variable is None:
        _unknown_field(expr, root, scope)
        return wrong(expr.span)
    if not variable.code and root in scope.roots:
        message = f"`{name}` is a function"
        help_ = "write what it is of in parentheses behind it"
        scope.problems.add("S203", expr.span, message, "without an argument", help_)
        return wrong(expr.span)
    if root not in scope.roots:
        message = f"`{root}` is not known in {scope.where}"
        known = ", ".join(f"`{r}`" for r in sorted(scope.roots))
        scope.problems.add("S206", expr.span, message, "not known here", f"known here: {known}")
        return wrong(expr.span)
    if expr.optional:
        return _maybe(read(variable, expr.span), expr.span)
    if variable.optional and name not in scope.present:
        other = {Base.DURATION: "0s", Base.INT: "0"}.get(variable.type.base, "0%")
        help_ = f"write `has({name}) && ...`, or give both cases: `has({name}) ? {name} : {other}`"
        message = f"`{name}` may be missing"
        scope.problems.add("S316", expr.span, message, "read without `has`", help_)
    found = read(variable, expr.span)
    return replace(found, range=scope.ranges[name]) if name in scope.ranges else found


def _maybe(value: Typed, span: Span) -> Typed:
    """Return a name of the vocabulary as an optional, whether or not it can be missing."""
    what = "maybe_duration" if value.type.base is Base.DURATION else "maybe"
    return node(Op.CALL, optional_of(value.type), span, (value,), what)


def read(variable: Variable, span: Span) -> Typed:
    """Return the node that reads *variable*."""
    free = frozenset({LOOP}) if variable.root == LOOP else frozenset[str]()
    reads = frozenset({variable.name})
    return Typed(Op.READ, variable.type, span, (), variable, variable.range, free=free, reads=reads)


def _unknown_field(expr: Select, root: str, scope: Scope) -> None:
    name, word = path(expr), expr.member
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
    if expr.optional or of.type.item is None or not operators.is_own(of.type):
        name = "_[?_]" if expr.optional else "_[_]"
        found = standard.operator(name, (of, at), expr.span)
        if found is not None:
            return found
    if of.type.item is None:
        message = f"{operators.described(of)} and cannot be indexed"
        scope.problems.add("S203", expr.of.span, message, "neither a list nor a map")
        return wrong(expr.span, (of, at))
    if not of.type.item.known:
        return _empty(of, scope)
    wanted = Base.INT if of.type.base is Base.LIST else (of.type.key or STRING).base
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
    yes = check_expr(expr.yes, scope.narrowed(expr.test, True))
    no = check_expr(expr.no, scope.narrowed(expr.test, False))
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
    type_ = unit if yes.type.numeric else joined(yes.type, no.type) or yes.type
    range_ = (
        union(yes.numbers, no.numbers) if yes.range is not None or no.range is not None else None
    )
    return node(Op.COND, type_, expr.span, (test, yes, no), range_=range_)


def _list(expr: ListOf, scope: Scope) -> Typed:
    items = tuple(check_expr(i, scope) for i in expr.items)
    types = [_part(t, i in expr.optional, scope) for i, t in enumerate(items)]
    if not _alike(items, types, scope, "items of a list"):
        return wrong(expr.span, items)
    type_ = Type(Base.LIST, item=next((t for t in types if t.known), UNKNOWN))
    if not expr.optional:
        return node(Op.LIST, type_, expr.span, items)
    marks = tuple(i in expr.optional for i in range(len(items)))
    return node(Op.MAKE, type_, expr.span, items, Make(marks), fails=True)


def _part(value: Typed, optional: bool, scope: Scope) -> Type:
    """Return the type that *value* has in a list or map; after `?` that of the optional's value."""
    if not optional or not value.type.known:
        return value.type
    if value.type.base is not Base.OPTIONAL or value.type.item is None:
        message = "what follows `?` must be optional"
        label = operators.described(value, short=True)
        scope.problems.add("S203", value.span, message, label, "such as `request.headers[?'x']`")
        return UNKNOWN
    return value.type.item


def _alike(items: tuple[Typed, ...], types: Sequence[Type], scope: Scope, what: str) -> bool:
    for item, type_ in zip(items, types, strict=True):
        if not item.type.known:
            return False
        if not same(type_, types[0]):
            first = operators.article(types[0])
            message = f"the {what} have one type, and the first is {first}"
            scope.problems.add("S203", item.span, message, operators.described(item, short=True))
            return False
    return True


def _map(expr: MapOf, scope: Scope) -> Typed:
    keys = tuple(check_expr(k, scope) for k, _ in expr.entries)
    values = tuple(check_expr(v, scope) for _, v in expr.entries)
    types = [_part(v, i in expr.optional, scope) for i, v in enumerate(values)]
    args = tuple(a for pair in zip(keys, values, strict=True) for a in pair)
    key_types = [k.type for k in keys]
    if not (
        _alike(keys, key_types, scope, "keys of a map")
        and _alike(values, types, scope, "values of a map")
    ):
        return wrong(expr.span, args)
    type_ = Type(
        Base.MAP,
        item=next((t for t in types if t.known), UNKNOWN),
        key=bare(key_types[0]) if keys else STRING,
    )
    if keys and keys[0].type.base not in (Base.STRING, Base.INT, Base.BOOL, Base.UINT):
        message = "the keys of a map are strings, ints or bools"
        scope.problems.add("S203", keys[0].span, message, operators.described(keys[0], short=True))
        return wrong(expr.span, args)
    _twice(keys, scope)
    constant = all(k.op is Op.CONST for k in keys) and operators.is_own(type_)
    if constant and not expr.optional and (not keys or keys[0].type.base is not Base.BOOL):
        return node(Op.MAP, type_, expr.span, args)
    marks = tuple(i in expr.optional for i in range(len(keys)))
    return node(Op.MAKE, type_, expr.span, args, Make(marks), fails=True)


def _twice(keys: tuple[Typed, ...], scope: Scope) -> None:
    """Report literal keys that a map has twice."""
    seen: set[object] = set()
    for key in keys:
        if key.op is Op.CONST:
            if key.value in seen:
                scope.problems.add("S207", key.span, "a map has this key twice", "second time")
            seen.add(key.value)
