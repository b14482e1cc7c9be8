"""From a checked expression to generated Python.

Only text of our own and `repr` of constants ever reaches the source: names and strings
of a policy do not. Where the checker proved that a node cannot fault, plain Python
stands; parts that no endpoint changes are computed once, before the loop.
"""

from dataclasses import dataclass, field

from headrace.dsl.cel.interval import EXACT_MAX
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.patterns import Pattern, compile_pattern
from headrace.dsl.cel.typed import Each, Op, Typed, Variable

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
}


@dataclass(slots=True)
class Emitter:
    """Writes the expression of one generated function. Written by that one compilation only.

    in_loop    whether what is written runs once per endpoint
    before     lines to stand before the loop
    constants  objects that source cannot spell: compiled patterns
    """

    in_loop: bool
    before: list[str] = field(default_factory=list[str])
    constants: dict[str, Pattern] = field(default_factory=dict[str, Pattern])
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
                return f"v{typed.value}"
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
                return f"({parts[1]} if {parts[0]} else {parts[2]})"
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
        if code in self.hoisted:
            return self.hoisted[code]
        n = len(self.hoisted)
        if not typed.fails:
            self.before.append(f"h{n} = {code}")
            self.hoisted[code] = f"h{n}"
            return f"h{n}"
        self.before += [
            f"h{n} = f{n} = None",
            "try:",
            f"    h{n} = {code}",
            "except Fault as fault:",
            f"    f{n} = fault",
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
        if left.fails and right.fails:
            return f"{absorbing}(lambda: {self.code(left)}, lambda: {self.code(right)})"
        if left.fails:
            # The side that cannot fault goes first: what it decides, no fault can change.
            left, right = right, left
        return f"({self.code(left)} {word} {self.code(right)})"

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
        name = f"r{len(self.constants)}"
        self.constants[name] = compiled
        return f"_found({name}, {self.code(text)})"

    def _each(self, typed: Typed) -> str:
        each = typed.value
        assert isinstance(each, Each)
        items, body = self.code(typed.args[0]), self.code(typed.args[1])
        v = f"v{each.level}"
        match each.macro:
            case "exists":
                return f"_exists({items}, lambda {v}: {body})"
            case "all":
                return f"_every({items}, lambda {v}: {body})"
            case "exists_one":
                return f"(sum([1 for {v} in {items} if {body}]) == 1)"
            case "filter":
                return f"[{v} for {v} in {items} if {body}]"
            case _:
                return f"[{body} for {v} in {items}]"


def _constant(typed: Typed) -> str:
    value = typed.value
    assert value is None or isinstance(value, bool | int | float | str), value
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
