"""From a checked expression to generated Python.

Only text of our own and `repr` of constants ever reaches the source: names and strings
of a policy do not. Where the checker proved that a node cannot fault, plain Python
stands; parts that no endpoint changes are computed once, before the loop.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.dsl.cel import candidates, cost
from headrace.dsl.cel.interval import EXACT_MAX
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.patterns import compile_pattern
from headrace.dsl.cel.typed import Apply, Each, Make, Op, Typed, Variable, With
from headrace.dsl.cel.values import TypeName, Uint

_INT_CHECKED = {"+": "_add", "-": "_sub", "*": "_mul", "/": "_div", "%": "_rem"}
_CALLS = {
    "size": "len({0})",
    "double_of_int": "float({0})",
    "double_of_text": "_double_of_text({0})",
    "int_of_text": "_int_of_text({0})",
    "string_of_int": "str({0})",
    "string_of_bool": "('true' if {0} else 'false')",
    "startsWith": "{0}.startswith({1})",
    "endsWith": "{0}.endswith({1})",
    "contains": "({1} in {0})",
    "boxed": "_duration_of_seconds({0})",
    "unboxed": "_seconds_of_duration({0})",
    "maybe": "_maybe({0})",
    "metric": "_maybe(e.metrics.get({0}))",
    "maybe_duration": "_maybe_duration({0})",
}


@dataclass(slots=True)
class Emitter:
    """Writes the expression of one generated function. Written by that one compilation only.

    in_loop    whether what is written runs once per endpoint
    counted    whether the steps of macros are counted at run time, by `steps`
    before     lines to stand before the loop
    constants  objects that source cannot spell: compiled patterns, functions of the library
    """

    in_loop: bool
    counted: bool = False
    before: list[str] = field(default_factory=list[str])
    constants: dict[str, object] = field(default_factory=dict[str, object])
    hoisted: dict[str, str] = field(default_factory=dict[str, str])

    def number(self, typed: Typed) -> str:
        """Return the code of a numeric column's value: a float that is not NaN."""
        code = self.code(typed)
        if typed.type.base is Base.INT:
            return f"float({code})"
        return f"_number({code})" if typed.numbers.nan else code

    def code(self, typed: Typed) -> str:
        """Return the code of *typed*."""
        if self.in_loop and not typed.free and typed.op is not Op.CONST:
            return self._once(typed)
        match typed.op:
            case Op.CONST:
                return _constant(typed)
            case Op.READ:
                return self._read(typed)
            case Op.LOCAL:
                return str(typed.value)
            case Op.ARITHMETIC:
                return self._arithmetic(typed)
            case Op.COMPARE:
                return self._compare(typed)
            case Op.AND | Op.OR:
                return self._logic(typed)
            case Op.CALL:
                return self._call(typed)
            case Op.EACH:
                return self._each(typed)
            case Op.APPLY:
                return self._apply(typed)
            case Op.WITH:
                return self._with(typed)
            case Op.MAKE:
                return self._make(typed)
            case Op.OVER:
                return candidates.code_of(typed, self)
            case _:
                return self._simple(typed)

    def _simple(self, typed: Typed) -> str:
        parts = [self.code(a) for a in typed.args]
        match typed.op:
            case Op.NOT:
                return f"(not {parts[0]})"
            case Op.NEG:
                return f"_neg({parts[0]})" if typed.fails else f"(-{parts[0]})"
            case Op.JOIN:
                star = "[*{0}, *{1}]" if typed.type.base is Base.LIST else "({0} + {1})"
                return star.format(*parts)
            case Op.COND:
                test = _sure(typed.args[0], parts[0])
                return f"({parts[1]} if {test} else {parts[2]})"
            case Op.HAS:
                return f"({parts[0]} is not None)"
            case Op.HAS_KEY:
                return f"({parts[1]} in {parts[0]})"
            case Op.IN:
                return self._in(typed, parts)
            case Op.AT:
                of_list = typed.args[0].type.base is Base.LIST
                return f"_at_{'index' if of_list else 'key'}({parts[0]}, {parts[1]})"
            case Op.LIST:
                return f"[{', '.join(parts)}]"
            case _:
                assert typed.op is Op.MAP, typed.op
                pairs = zip(parts[::2], parts[1::2], strict=True)
                return f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"

    def _once(self, typed: Typed) -> str:
        """Compute *typed* before the loop and return the name it then has.

        Its fault, if it can have one, is kept too and raised where the value is used:
        it may stand beside a `&&` that makes it irrelevant.
        """
        self.in_loop = False
        code = self.code(typed)
        self.in_loop = True
        return self.keep(code, typed.fails, guarded=_is_guarded(typed))

    def keep(self, code: str, fails: bool, *, guarded: bool = False) -> str:
        """Compute *code* before the loop and return how to read it then."""
        if code in self.hoisted:
            return self.hoisted[code]
        n = len(self.hoisted)
        if not fails and not guarded:
            self.before.append(f"h{n} = {code}")
            self.hoisted[code] = f"h{n}"
            return f"h{n}"
        self.before += [
            f"h{n} = f{n} = None",
            "try:",
            f"    h{n} = {code}",
            "except Fault as fault:",
            f"    f{n} = fault",
            # A condition around it sees to it that it is not used then.
            *(["except (ArithmeticError, TypeError):", "    pass"] if guarded else []),
        ]
        self.hoisted[code] = f"(_again(f{n}) or h{n})"
        return self.hoisted[code]

    def _read(self, typed: Typed) -> str:
        variable = typed.value
        assert isinstance(variable, Variable)
        if not variable.hoisted:
            return variable.code
        part = variable.hoisted
        if self.in_loop:
            if part not in self.hoisted:
                name = f"h{len(self.hoisted)}"
                self.before.append(f"{name} = {part}")
                self.hoisted[part] = name
            part = self.hoisted[part]
        return variable.code.format(part)

    def _arithmetic(self, typed: Typed) -> str:
        op, (left, right) = typed.value, typed.args
        if typed.type.base is Base.INT:
            a, b = self.code(left), self.code(right)
            if typed.fails:
                return f"{_INT_CHECKED[str(op)]}({a}, {b})"
            if op in ("/", "%") and (left.numbers.lo < 0 or right.numbers.lo < 0):
                return f"{_INT_CHECKED[str(op)]}({a}, {b})"
            return f"({a} {'//' if op == '/' else op} {b})"
        # In Python an int beside a float becomes a float, so one of them may stay an int.
        a = self.code(left) if _exact_int(right) else self._loose(left)
        b = self._loose(right)
        if op == "/" and (right.numbers.has(0) or right.numbers.nan):
            return f"_ratio({a}, {b})"
        return f"({a} {op} {b})"

    def _loose(self, typed: Typed) -> str:
        """Return the code of a double, or of the int it was made of if that is as good."""
        return self.code(typed.args[0] if _exact_int(typed) else typed)

    def _compare(self, typed: Typed) -> str:
        left, right = typed.args
        if left.type.base in (Base.LIST, Base.MAP):
            code = f"({self.code(left)} == {self.code(right)})"
            if left.type.base is Base.LIST:
                code = f"_equal({self.code(left)}, {self.code(right)})"
            return code if typed.value == "==" else f"(not {code})"
        mixed = left.type.base is not right.type.base
        a, b = (self._operand(x, mixed=mixed) for x in typed.args)
        return f"({a} {typed.value} {b})"

    def _operand(self, typed: Typed, *, mixed: bool) -> str:
        if mixed and typed.type.base is Base.INT and not _exact(typed):
            return f"float({self.code(typed)})"
        return self._loose(typed)

    def _logic(self, typed: Typed) -> str:
        left, right = typed.args
        word, absorbing = ("and", "_both") if typed.op is Op.AND else ("or", "_either")
        a, b = (_sure(arg, self.code(arg)) for arg in typed.args)
        if (left.fails and right.fails) or Base.BOOL not in (left.type.base, right.type.base):
            return f"{absorbing}(lambda: {a}, lambda: {b})"
        if left.fails or left.type.base is not Base.BOOL:
            # The side that cannot fault goes first: what it decides, no fault can change.
            a, b = b, a
        return f"({a} {word} {b})"

    def _in(self, typed: Typed, parts: list[str]) -> str:
        item, container = parts
        items = typed.args[1]
        if items.type.item is not None and items.type.item.base is Base.DOUBLE:
            return f"_contains({container}, {item})"
        if items.op is Op.LIST and items.args and all(a.op is Op.CONST for a in items.args):
            container = f"({', '.join(_constant(a) for a in items.args)},)"
        return f"({item} in {container})"

    def _call(self, typed: Typed) -> str:
        name = str(typed.value)
        if name == "header":
            return self._header(typed)
        if name == "cookie":
            headers, cookie = (self.code(arg) for arg in typed.args)
            return f"_cookie({headers}.get('cookie', ''), {cookie})"
        if name == "matches":
            return self._matches(typed)
        parts = [self.code(a) for a in typed.args]
        match name:
            case "least" | "greatest":
                return f"{'min' if name == 'least' else 'max'}({', '.join(parts)})"
            case "int_of_double":
                return f"_int_of_double({parts[0]})"
            case _:
                return _CALLS[name].format(*parts)

    def _header(self, typed: Typed) -> str:
        headers, name = typed.args
        code = repr(str(name.value).lower())
        if name.op is not Op.CONST:
            code = f"{self.code(name)}.lower()"
        return f"{self.code(headers)}.get({code}, '')"

    def _matches(self, typed: Typed) -> str:
        text, pattern = typed.args
        compiled = compile_pattern(str(pattern.value))
        assert not isinstance(compiled, str), compiled
        return f"_found({self._named(compiled, 'r')}, {self.code(text)})"

    def _named(self, value: object, kind: str) -> str:
        """Return the name that generated code has for the object *value*."""
        for name, known in self.constants.items():
            if known is value:
                return name
        name = kind if len(kind) > 1 else f"{kind}{len(self.constants)}"
        while name in self.constants:
            name += "_"
        self.constants[name] = value
        return name

    def _function(self, run: Callable[..., object]) -> str:
        return self._named(run, "_" + str(getattr(run, "__name__", "function")).strip("_"))

    def _apply(self, typed: Typed) -> str:
        apply = typed.value
        assert isinstance(apply, Apply)
        parts = [self.code(a) for a in typed.args]
        parts = [f"lambda: {p}" if i in apply.lazy else p for i, p in enumerate(parts)]
        return f"{self._function(apply.run)}({', '.join(parts)})"

    def _with(self, typed: Typed) -> str:
        bound = typed.value
        assert isinstance(bound, With)
        value, body = (self.code(a) for a in typed.args)
        value = f"_Once(lambda: {value})" if bound.lazy else value
        return f"{self._function(bound.run)}({value}, lambda v{bound.level}: {body})"

    def _make(self, typed: Typed) -> str:
        """Return the code of a list or map with optional parts or keys to be checked."""
        assert isinstance(typed.value, Make)
        marks, parts = typed.value.optional, [self.code(a) for a in typed.args]
        if typed.type.base is Base.LIST:
            rows = zip(marks, parts, strict=True)
            return f"_made_list({', '.join(f'({mark}, {part})' for mark, part in rows)})"
        entries = zip(marks, parts[::2], parts[1::2], strict=True)
        return f"_made_map({', '.join(f'({m}, {k}, {v})' for m, k, v in entries)})"

    def _each(self, typed: Typed) -> str:
        each = typed.value
        assert isinstance(each, Each)
        items = self._items(typed.args[0], each)
        rest = [self.code(a) for a in typed.args[1:]]
        body, v = rest[-1], f"v{each.level}"
        if each.macro in ("exists", "all", "exists_one", "existsOne", "filter"):
            body = _sure(typed.args[-1], body)
        test = f" if {_sure(typed.args[1], rest[0])}" if each.test else ""
        match each.macro:
            case "exists":
                return f"_exists({items}, lambda {v}: {body})"
            case "all":
                return f"_every({items}, lambda {v}: {body})"
            case "exists_one" | "existsOne":
                return f"(sum([1 for {v} in {items} if {body}]) == 1)"
            case "filter":
                return f"[{v} for {v} in {items} if {body}]"
            case "transformMap":
                return f"_mapped(({v}[0], {body}) for {v} in {items}{test})"
            case "transformMapEntry":
                return f"_merged({body} for {v} in {items}{test})"
            case _:
                return f"[{body} for {v} in {items}{test}]"

    def _items(self, typed: Typed, each: Each) -> str:
        """Return the code of what a macro goes through."""
        code, type_ = self.code(typed), typed.type
        plain_keys = type_.key is not None and type_.key.base in (Base.STRING, Base.INT)
        if each.two:
            code = f"_pairs({code})"
        elif not (type_.base is Base.LIST or (type_.base is Base.MAP and plain_keys)):
            code = f"_elements({code})"
        if self.counted:
            return f"steps.over({code})"
        return code if cost.known_max(typed) is not None else f"_few({code})"


def _is_guarded(typed: Typed) -> bool:
    """Return whether *typed* may count on a condition around it: not to divide by 0, say."""
    divides = typed.op is Op.ARITHMETIC and typed.value in ("/", "%")
    optional = isinstance(typed.value, Variable) and typed.value.optional
    return divides or optional or any(_is_guarded(arg) for arg in typed.args)


def _sure(typed: Typed, code: str) -> str:
    """Return the code of a bool, checked at run time if the type is known only then."""
    return code if typed.type.base is Base.BOOL else f"_truth({code})"


def _constant(typed: Typed) -> str:
    value = typed.value
    if isinstance(value, Uint):
        return f"_Uint({int(value)})"
    if isinstance(value, TypeName):
        return f"_TypeName({value.name!r})"
    assert value is None or isinstance(value, bool | int | float | str | bytes), value
    assert not isinstance(value, float) or math.isfinite(value), value
    code = repr(value)
    return f"({code})" if code.startswith("-") else code


def _exact(typed: Typed) -> bool:
    return typed.numbers.within(-EXACT_MAX, EXACT_MAX)


def _exact_int(typed: Typed) -> bool:
    """Whether this is `double(int)` of an int that every double arithmetic sees as it is."""
    return typed.op is Op.CALL and typed.value == "double_of_int" and _exact(typed.args[0])


def column(typed: Typed, *, numeric: bool) -> Emitter:
    """Return the emitter whose last line returns the column of *typed*, one value per endpoint."""
    emitter = Emitter(in_loop=True)
    code = emitter.number(typed) if numeric else emitter.code(typed)
    if not (typed.fails or (numeric and typed.numbers.nan)):
        emitter.before.append(f"return [{code} for e in endpoints]")
        return emitter
    emitter.before += [
        "out = []",
        "for e in endpoints:",
        "    try:",
        f"        out.append({code})",
        "    except Fault as fault:",
        "        out.append(fault.fault)",
        "return out",
    ]
    return emitter


def condition(typed: Typed) -> Emitter:
    """Return the emitter whose last line returns the bool *typed*."""
    emitter = Emitter(in_loop=False)
    code = emitter.code(typed)
    if not typed.fails:
        emitter.before.append(f"return {code}")
        return emitter
    emitter.before += [
        "try:",
        f"    return {code}",
        "except Fault as fault:",
        "    return fault.fault",
    ]
    return emitter
