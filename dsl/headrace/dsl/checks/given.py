"""`test` blocks: what is given and asked is constant, what is expected is compiled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from headrace.dsl import vocabulary
from headrace.dsl.cases import Given, GivenEndpoint, GivenPool, TestCase
from headrace.dsl.cel.kinds import LITERALS, STRING, Base, Type, same
from headrace.dsl.cel.operators import article
from headrace.dsl.cel.typed import Variable
from headrace.dsl.checks.given_guards import answer, given_guards
from headrace.dsl.checks.rules import Rules
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import After, Guard
from headrace.dsl.syntax.declarations import Asked, PoolGiven, Table, TestBlock
from headrace.dsl.syntax.tree import Expr, ListOf, Literal, MapOf, Name, Unary, Word, Written

CASES_MAX = 500  # of one policy
_NO_ROW: Mapping[str, Written] = {}
# What follows from the policy, or from headers, is not given.
_DECIDED = {v.name for v in vocabulary.VARIABLES if v.code.startswith("request.hints.")} | {
    *("request.adapter", "request.priority", "endpoint.name"),
    *("endpoint.peer_labels", "endpoint.peer_zone"),
}
# What to write for what is asked and not given; of a header also what `trust` asks for.
_INSTEAD: Mapping[str, str] = {
    "request.adapter": "it follows from the model: ask for an adapter's name",
    "request.priority": "it follows from the model, its objective and the classes",
    "endpoint.name": 'it is what stands before the braces: `endpoint a { "queue": 9 }`',
    **dict.fromkeys(
        ("endpoint.peer_labels", "endpoint.peer_zone"),
        'it follows from who is picked: give all endpoints `"labels": { "rack": "r1" }`',
    ),
    "request.session": 'write `"headers": { "x-session-id": "s-1" }`',
    **{
        f"request.{field}": f'write `"headers": {{ {header} }}`, and the header that `trust` reads'
        for field, header in (
            ("fairness_id", '"x-gateway-inference-fairness-id": "acme"'),
            ("ttl", '"x-headrace-ttl": "1s"'),
            ("slo_ttft", '"x-slo-ttft-ms": "400"'),
            ("slo_tpot", '"x-slo-tpot-ms": "40"'),
        )
    },
}
assert _INSTEAD.keys() == _DECIDED


def tests(
    blocks: Sequence[TestBlock], rules: Rules, guards: Sequence[Guard]
) -> tuple[TestCase, ...]:
    """Return the cases of all `test` blocks in order, of a policy with these *guards*."""
    found: list[TestCase] = []
    for block in blocks:
        given = given_guards(block.guards, guards, rules.names)
        said = answer(block.answer, rules.problems)
        cases = [replace(c, guards=given, answer=said) for c in _cases(block, rules)]
        if len(found) + len(cases) > CASES_MAX:
            message = f"a policy has at most {CASES_MAX} cases"
            help_ = "move some to a file of their own"
            rules.problems.add("S218", block.span, message, "one test too many", help_)
            break
        found += cases
    return tuple(found)


def _cases(block: TestBlock, rules: Rules) -> Iterator[TestCase]:
    problems, name = rules.problems, block.name.text
    if not block.cases:
        help_ = 'add `when request { "model": "..." }` and `expect decision.pool == "..."`'
        problems.add("S332", block.span, f"test `{name}` expects nothing", "no effect", help_)
    rows = _rows(block.table, rules)
    number = len(block.cases) * len(rows)
    for asked in block.cases:
        if not asked.expects:
            message = "this asks and expects nothing"
            problems.add("S216", asked.span, message, "what must come out?", "add `expect ...`")
    if number > CASES_MAX:
        problems.add("S218", block.span, f"a policy has at most {CASES_MAX} cases", f"{number}")
        return
    for i, (row, asked) in enumerate((row, asked) for row in rows for asked in block.cases):
        reader = _Reader(problems, row)
        title = f"{name} #{i + 1}" if number > 1 else name
        values = {column: reader.constant(written.expr) for column, written in row.items()}
        yield TestCase(
            title + _shown(row),
            block.span,
            tuple(_pools(block.pools, rules, reader)),
            _request(block, asked, reader),
            tuple(_expects(asked, title, row, rules)),
            values,
        )


def _shown(row: Mapping[str, Written]) -> str:
    cells = ", ".join(f"{column}={written.span.text}" for column, written in row.items())
    return f" ({cells})" if cells else ""


def _rows(table: Table | None, rules: Rules) -> list[Mapping[str, Written]]:
    """Return the rows as column -> cell; one without columns where there is no table."""
    if table is None:
        return [_NO_ROW]
    problems, seen = rules.problems, dict[str, Word]()
    for word in table.columns:
        first = seen.setdefault(word.text, word)
        if first is not word:
            related = (Related(first.span, "first column"),)
            message = f"the column `{word.text}` is there twice"
            problems.add("S207", word.span, message, "second column", "rename one", related)
        if ("let", word.text) in rules.names.words:
            message = f"`{word.text}` is a `let` of the policy"
            problems.add("S207", word.span, message, "a column", "rename the column")
    found: list[Mapping[str, Written]] = []
    for cells in table.rows:
        if len(cells) != len(table.columns):
            span = cells[0].span
            message = f"this row has {len(cells)} of {len(table.columns)} columns"
            problems.add("S218", span, message, "the row", "write one value for each column")
            continue
        names = [word.text for word in table.columns]
        found.append(dict(zip(names, cells, strict=True)))
    return found


def _pools(said: Sequence[PoolGiven], rules: Rules, reader: "_Reader") -> Iterator[GivenPool]:
    seen: dict[str, Word] = {}
    for pool in said:
        rules.names.find("pool", pool.pool)
        first = seen.setdefault(pool.pool.text, pool.pool)
        if first is not pool.pool:
            related = (Related(first.span, "first time"),)
            message = f"pool `{pool.pool.text}` is given twice"
            rules.problems.add("S207", pool.pool.span, message, "second time", "", related)
        names: dict[str, Word] = {}
        endpoints: list[GivenEndpoint] = []
        for name, written in pool.endpoints:
            if names.setdefault(name.text, name) is not name:
                related = (Related(names[name.text].span, "first time"),)
                message = f"endpoint `{name.text}` is given twice"
                rules.problems.add("S207", name.span, message, "second time", "", related)
            fields = reader.fields(written, "endpoint")
            endpoints.append(GivenEndpoint(name.text, fields, written.span))
        yield GivenPool(pool.pool.text, tuple(endpoints), pool.span)


def _request(block: TestBlock, asked: Asked, reader: "_Reader") -> Mapping[str, Given]:
    """Return what is asked: what is given for all, under what this case says."""
    common = reader.fields(block.request, "request") if block.request else {}
    own = reader.fields(asked.request, "request") if asked.request else {}
    whole = {**common, **own}
    if "model" not in whole:
        span = (asked.request or block.request or asked).span
        help_ = 'add `"model": "..."`'
        reader.problems.add("S216", span, "this request names no model", "which model?", help_)
    return whole


def _expects(asked: Asked, title: str, row: Mapping[str, Written], rules: Rules) -> Iterator[After]:
    known = rules
    if row:
        cells = {c: rules.check(w, "a table", frozenset()) for c, w in row.items()}
        known = replace(rules, lets={**rules.lets, **cells})
    for written in asked.expects:
        found = known.after(written, f"test {title}", "`expect`", bool_only=True)
        if found is not None:
            yield found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads constants, in which the columns of *row* may stand."""

    problems: Problems
    row: Mapping[str, Written] = field(default_factory=dict[str, Written])

    def fields(self, written: Written, root: str) -> dict[str, Given]:
        """Return the map *written* as fields of *root*, each checked against the vocabulary."""
        expr = written.expr
        if not isinstance(expr, MapOf):
            message = f"what is given of `{root}` is a map"
            help_ = 'write `{ "queue": 9 }`' if root == "endpoint" else 'write `{ "model": "m" }`'
            self.problems.add("S203", written.span, message, "not a map", help_)
            return {}
        known = _known(root)
        found: dict[str, Given] = {}
        for key, value in expr.entries:
            if not isinstance(key, Literal) or not isinstance(key.value, str):
                message = f"a field of `{root}` is named by a string"
                self.problems.add("S203", key.span, message, "not a string", 'write `"queue"`')
            elif (instead := _INSTEAD.get(f"{root}.{key.value}")) is not None:
                message = f"`{root}.{key.value}` is not given: it follows from other things"
                self.problems.add("S201", key.span, message, "not to be given", instead)
            elif key.value not in known:
                message = f"`{root}` has no field `{key.value}` that can be given"
                help_ = did_you_mean(key.value, known, "fields")
                self.problems.add("S201", key.span, message, "unknown", help_)
            elif key.value in found:
                message = f"`{key.value}` is given twice"
                self.problems.add("S208", key.span, message, "second time", "keep one of them")
            else:
                found[key.value] = self._fitting(value, known[key.value])
        return found

    def _fitting(self, expr: Expr, variable: Variable) -> Given:
        value, wanted = self.constant(expr), variable.type
        if not _fits(value, wanted, self._literal(expr)):
            name = variable.name.partition(".")[2]
            message = f"`{name}` is {article(wanted)}"
            self.problems.add("S203", expr.span, message, "not one")
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        range_ = variable.range
        if range_ is not None and not range_.lo <= value <= range_.hi:
            message = f"`{expr.span.text}` is outside what is possible"
            help_ = f"possible: {range_.lo:g} to {range_.hi:g}"
            self.problems.add("S218", expr.span, message, "out of range", help_)
        return float(value) if wanted.base in (Base.DOUBLE, Base.DURATION) else value

    def _literal(self, expr: Expr) -> Type | None:
        """Return the type of a literal, of a column's cell too."""
        if isinstance(expr, Name) and expr.text in self.row:
            expr = self.row[expr.text].expr
        if isinstance(expr, Unary):
            expr = expr.arg
        return LITERALS.get(expr.kind) if isinstance(expr, Literal) else None

    def constant(self, expr: Expr) -> Given:
        """Return the value of *expr*, or report that it is no constant."""
        match expr:
            case Name(text=text) if text in self.row:
                return _Reader(self.problems).constant(self.row[text].expr)
            case Literal(value=bool() | int() | float() | str() | None as value):
                return value
            case Unary(op="-", arg=Literal(value=int() | float() as number)):
                return -number
            case ListOf(items=items):
                return tuple(self.constant(item) for item in items)
            case MapOf(entries=entries):
                return {str(self.constant(k)): self.constant(v) for k, v in entries}
            case _:
                message = "what is given is constant"
                help_ = "write the value itself, or a column of the test's table"
                self.problems.add("S203", expr.span, message, "not a constant", help_)
                return None


def _known(root: str) -> dict[str, Variable]:
    """Return the fields of *root* that a test can give."""
    known = {
        v.name.partition(".")[2]: v
        for v in vocabulary.VARIABLES
        if v.root == root and v.name not in _DECIDED
    }
    if root == "request":
        doc = "the prompt, instead of its length"
        known["prompt"] = replace(known["id"], name="request.prompt", type=STRING, doc=doc)
    return known


def _fits(value: Given, wanted: Type, literal: Type | None) -> bool:
    """Return whether the constant *value*, written as *literal*, is of the type *wanted*."""
    match value:
        case None:
            return True  # reported already
        case tuple():
            item = wanted.item
            return (
                wanted.base is Base.LIST and item is not None and all(_is(v, item) for v in value)
            )
        case Mapping():
            item = wanted.item
            inside = value.values()
            return (
                wanted.base is Base.MAP and item is not None and all(_is(v, item) for v in inside)
            )
        case _:
            if literal is None:
                return True  # reported already
            whole = literal.base is Base.INT and wanted.base is Base.DOUBLE
            return whole or same(wanted, literal)


def _is(value: Given, item: Type) -> bool:
    kinds: dict[Base, type | tuple[type, ...]] = {
        Base.STRING: str, Base.INT: int, Base.DOUBLE: (int, float), Base.BOOL: bool,
    }  # fmt: skip
    return isinstance(value, kinds.get(item.base, object))
