"""Plain CEL by itself: values, faults, types and refusals, as tables."""

import math
from collections.abc import Mapping

import pytest

from headrace.dsl.cel import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    STRING,
    UINT,
    CelError,
    CelType,
    Declarations,
    Duration,
    Fault,
    Flag,
    Optional,
    Timestamp,
    TypeName,
    Uint,
    compile,
    function,
    list_of,
    map_of,
)

GIVEN: Mapping[str, object] = {"x": 3, "m": {"a": 1}, "l": [1, 2], "a.b": 7, "a": {"b": 1, "c": 2}}
TYPES = {
    "x": INT,
    "m": map_of(STRING, INT),
    "l": list_of(INT),
    "a.b": INT,
    "a": map_of(STRING, INT),
}
VALUES: list[tuple[str, object]] = [
    # literals
    ("[0x1F, -0x1f, 7]", [31, -31, 7]),
    ("18446744073709551615u", Uint(2**64 - 1)),
    ("0xFFu", Uint(255)),
    ("[.5, 1e3, 1.5E-1]", [0.5, 1000.0, 0.15]),
    (r"'\a\b\f\n\r\t\v\\\'\"\`\?\x41\X42\103\u00e9\U0001F600'", "\a\b\f\n\r\t\v\\'\"`?ABCé😀"),
    ("r'\\n' + R\"\\x\"", "\\n\\x"),
    ("'''a'b\n\"c''' + \"\"\"d\"\"e\"\"\"", "a'b\n\"cd\"\"e"),
    (r"b'\xff\377é' + B'a' + rb'\x' + Rb'''q'q'''", b"\xff\xff\xc3\xa9a\\xq'q"),
    ("1 // a comment\n + 2 // and one at the end", 3),
    ("{1: 'a', 2u: 'b', 'c': true, false: null}", {1: "a", Uint(2): "b", "c": True, False: None}),
    ("{true: 1, 1: 2}", {Flag.TRUE: 1, 1: 2}),
    ("{true: 1, 1: 2}[true] + {true: 1, 1: 2}[1]", 3),
    # kinds of numbers meet by value
    ("1 == 1.0 && 1u == 1 && 1.0 == 1u && !(1 == 1.5)", True),
    ("-1 < 1u && 18446744073709551615u > 1 && 1.5 > 1u", True),
    ("{1: 'a'}[1] + {1u: 'b'}[1u] + {1: 'c'}[dyn(1.0)]", "abc"),
    ("[1, 1.0, 1u].map(x, type(x))", [TypeName("int"), TypeName("double"), TypeName("uint")]),
    ("[true] == [1]", None),
    ("dyn([true]) == [1]", False),
    ("0.0 / 0.0 in [0.0 / 0.0] || 0.0 / 0.0 == 0.0 / 0.0", False),
    ("[{'n': 0.0 / 0.0}] == [{'n': 0.0 / 0.0}]", False),
    ("-9223372036854775808 / 1", -(2**63)),
    ("7u % 4u * 2u - 1u", Uint(5)),
    # times
    ("timestamp('2024-02-29T23:59:59.5+01:00')", Timestamp(1_709_247_599_500_000_000)),
    ("duration('1h2m3.5s') - duration('1ns')", Duration(3_723_499_999_999)),
    ("string(timestamp(0) + duration('1500ms'))", "1970-01-01T00:00:01.500Z"),
    ("timestamp(0).getDayOfWeek() * 10 + timestamp(0).getMonth('-00:01')", 51),
    ("(-duration('90s')).getMinutes()", -1),
    # optionals
    ("[optional.none(), optional.of(1)]", [Optional(False), Optional(True, 1)]),
    ("{'a': {'b': 1}}.?a.b", Optional(True, 1)),
    ("{}.?a.b.c", Optional(False)),
    ("optional.of([1]).?x", None),
    ("optional.unwrap([optional.of(1), optional.none()])", [1]),
    ("[[1]][?0][?0]", Optional(True, 1)),
    ("optional.ofNonZeroValue(duration('0s')).hasValue()", False),
    # macros
    ("[3, 1].sortBy(x, -x) + [2, 1].sort()", [3, 1, 1, 2]),
    ("{'a': 1, 'b': 2}.all(k, v, has(m.a) && (k != 'a' || v == 1))", True),
    ("{'a': 1}.map(k, k) + {true: 1}.map(k, string(k))", ["a", "true"]),
    ("{true: 1}.transformMap(k, v, [k])", {True: [True]}),
    ("['a'].transformMapEntry(i, v, {v: i})", {"a": 0}),
    ("cel.bind(x, 5, cel.bind(y, x + 1, x * y))", 30),
    ("[1].exists(x, [2].exists(x, [3].exists(y, x == 2 && y == 3)))", True),
    ("cel.block([1, cel.index(0) + 1], cel.index(1) * 2)", 4),
    ("[0, 2].exists(i, 4 / i == 2) && !([0, 2].all(i, 4 / i == 3))", True),
    # functions
    ("'%s|%5d|%.1f|%x|%b|%o|%e'.format([1, 2, 3, 4, 5, 6, 7])", None),
    ("'%s|%d|%.1f|%X|%b|%o|%.1e|%%'.format([[1, 'a', null], -2, 3, 171, true, 8, 1234.5])",
     "[1, a, null]|-2|3.0|AB|1|10|1.2e+03|%"),
    ("'a,b,,c'.split(',', 2) + 'ab'.split('')", ["a", "b,,c", "a", "b"]),
    ("[string(1e6), string(-0.0), string(1e-5), string(123456.5)]",
     ["1e+06", "-0", "1e-05", "123456.5"]),
    ("math.greatest([1, 2u, 2.5]) == 2.5 && math.least(3, 2u) == 2u", True),
    ("math.bitShiftRight(-1, 60) + math.bitNot(0)", 14),
    ("[1, [2, [3]]].flatten(2)", [1, 2, 3]),
    ("sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])", True),
    # names
    ("a.b + a.c", 9),
    (".x + [5].map(x, .x + x)[0]", 11),
    ("m.a + m['a'] + l[0]", 3),
    ("{'content-type': 1}.`content-type`", 1),
    ("[bool, google.protobuf.Duration] == [type(true), type(duration('1s'))]", True),
]  # fmt: skip
FAULTS = [
    ("9223372036854775807 + x", "overflow"),
    ("18446744073709551615u + 1u", "overflow"),
    ("-9223372036854775808 % -1", "overflow"),
    ("x / (x - 3) == 1 && true", "division-by-zero"),
    ("m.b", "missing"),
    ("dyn(l).b", "type"),
    ("l[2]", "range"),
    ("l[dyn(0.5)]", "type"),
    ("{dyn(1.0): 1}", "type"),
    ("{'a': 1, 'a': 2}", "type"),
    ("{1: 1, 1u: 2}", "type"),
    ("dyn(1) + dyn('a')", "type"),
    ("dyn(1) && true", "type"),
    ("dyn([1]).exists(v, v)", "type"),
    ("dyn(7).map(v, v)", "type"),
    ("'a'.matches('[')", "type"),
    ("string(b'\\xff')", "type"),
    ("timestamp('2023-02-29T00:00:00Z')", "range"),
    ("duration('300000000000s') + duration('300000000000s')", "range"),
    ("timestamp('9999-01-01T00:00:00Z') - timestamp(0)", "overflow"),
    ("timestamp(0).getHours('Mars/Base')", "range"),
    ("optional.none().value()", "missing"),
    ("int(9.3e18)", "range"),
    ("uint(-1)", "range"),
    ("double('1.5x')", "type"),
    ("'%d'.format(['a'])", "type"),
    ("base64.decode('a')", "type"),
    ("lists.range(1000000)", "range"),
    ("lists.range(2000).all(i, lists.range(2000).all(j, i + j >= 0))", "range"),
    ("'x'.replace('', 'yyyyyyyy').replace('', l.map(i, 'z').join())"
     ".split('').map(c, 'abcdefgh').join('12345678').replace('', '0123456789')"
     ".replace('', '0123456789').replace('', '0123456789').replace('', '0123456789')"
     ".replace('', '0123456789').size() > 0", "range"),
]  # fmt: skip
DEDUCED: list[tuple[str, CelType]] = [
    ("x + 1", INT),
    ("[x, 1.5]", list_of(DYN)),
    ("[]", list_of(DYN)),
    ("[[], [1]]", list_of(list_of(INT))),
    ("m.map(k, m[k])", list_of(INT)),
    ("x > 1 ? m : {}", map_of(STRING, INT)),
    ("dyn(x)", DYN),
    ("m[?'a'].optMap(v, v > 1).orValue(false)", BOOL),
]
REFUSED = [
    ("1 + 'a'", "S203"),
    ("y", "S201"),
    ("nope(1)", "S202"),
    ("x.nope()", "S202"),
    ("x.y", "S203"),
    ("true && 1", "S203"),
    ("true ? 1 : 'a'", "S203"),
    ("has(x)", "S203"),
    ("l.map(1, 2)", "S203"),
    ("l.all(v, v, true)", "S207"),
    ("1 +", "S101"),
    ("(1", "S101"),
    ("5s < 6s", "S101"),
    ("80% < 1.0", "S101"),
    ("1 # no comment", "S101"),
    ("1_000", "S101"),
    ("9223372036854775808", "S109"),
    ("18446744073709551616u", "S109"),
    (r"'\q'", "S109"),
    (r"b'\u0041'", "S109"),
    ("if", "S215"),
    ("m.in", "S215"),
    ("while(1)", "S215"),
    ("!" * 60 + "true", "S110"),
]


def evaluated(text: str, **more: object) -> object:
    return compile(text, TYPES).evaluate({**GIVEN, **more})


@pytest.mark.parametrize(("text", "expected"), [v for v in VALUES if v[1] is not None])
def test_an_expression_has_this_value(text: str, expected: object) -> None:
    found = evaluated(text)

    assert found == expected
    assert repr(found) == repr(expected)


@pytest.mark.parametrize("text", [v[0] for v in VALUES if v[1] is None])
def test_an_expression_of_no_sense_is_refused_or_fails(text: str) -> None:
    with pytest.raises((CelError, Fault)):
        evaluated(text)


@pytest.mark.parametrize(("text", "kind"), FAULTS)
def test_an_evaluation_fails_in_this_way(text: str, kind: str) -> None:
    with pytest.raises(Fault) as caught:
        evaluated(text)

    assert caught.value.kind == kind


@pytest.mark.parametrize(("text", "type_"), DEDUCED)
def test_an_expression_has_this_type(text: str, type_: CelType) -> None:
    assert compile(text, TYPES).type == type_


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_an_expression_is_refused_with_this_code(text: str, code: str) -> None:
    with pytest.raises(CelError) as caught:
        compile(text, TYPES)

    assert {d.code for d in caught.value.diagnostics} == {code}


def test_all_problems_are_reported_at_once_and_where_they_are() -> None:
    with pytest.raises(CelError) as caught:
        compile("one + two && 'a'.three(1)", TYPES)

    assert [d.span.text for d in caught.value.diagnostics] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("y.z", "missing"), ("1 + 'a'", "type"), ("f(1)", "type"), ("'a' ? 1 : 2", "type")],
)
def test_without_checks_a_mistake_is_a_fault(text: str, kind: str) -> None:
    with pytest.raises(Fault) as caught:
        compile(text, checked=False).evaluate({})

    assert caught.value.kind == kind


def test_without_checks_names_are_looked_up_when_it_runs() -> None:
    expression = compile("a.b.c + b.c", checked=False, container="a")

    assert expression.evaluate({"a.b": {"c": 1}, "b": {"c": 10}}) == 2
    assert expression.evaluate({"a": {"b": {"c": 3}}, "b": {"c": 10}}) == 13


def test_names_are_looked_up_in_the_container_first() -> None:
    types = {"p.q.x": INT, "p.x": INT, "x": INT}
    values: Mapping[str, object] = {"p.q.x": 1, "p.x": 2, "x": 3}

    assert compile("x", types, container="p.q").evaluate(values) == 1
    assert compile("x", types, container="p").evaluate(values) == 2
    assert compile(".x", types, container="p.q").evaluate(values) == 3


def test_without_macros_they_are_functions() -> None:
    with pytest.raises(CelError):
        compile("[1].all(x, x > 0)", macros=False)


def test_a_function_of_ones_own_is_called() -> None:
    def twice(value: int) -> int:
        return 2 * value

    def first(items: list[object]) -> object:
        return items[0]

    own = Declarations(
        TYPES,
        functions={"my.twice": function(("my.twice(int) -> int", twice))},
        methods={"head": function(("head(list(A)) -> A", first))},
        container="my",
    )
    expression = compile("twice(l.head()) + my.twice(x)", own)

    assert expression.type == INT
    assert expression.evaluate(GIVEN) == 8


def test_zones_can_be_known_by_someone_else() -> None:
    def mars(name: str, unix_s: int) -> int | None:
        return 7200 + unix_s if name == "Mars/Base" else None

    expression = compile("timestamp(60).getHours('Mars/Base')", Declarations(zones=mars))

    assert expression.evaluate({}) == 2


def test_values_that_are_none_of_cels_are_refused() -> None:
    with pytest.raises(Fault):
        compile("x", checked=False).evaluate({"x": object()})
    with pytest.raises(Fault):
        compile("x", checked=False).evaluate({"x": 2**63})


def test_an_int_becomes_what_its_variable_is_declared_to_be() -> None:
    types = {"u": UINT, "d": list_of(DOUBLE)}

    found = compile("[u + 1u, type(d[0]) == double]", types).evaluate({"u": 3, "d": [1]})

    assert repr(found) == "[Uint(4), True]"
    with pytest.raises(Fault):
        compile("u + 1u", types).evaluate({"u": -1})


def test_bool_keys_and_nested_values_come_back_as_they_went_in() -> None:
    given: dict[str, object] = {"x": {True: [(1, 2)], "k": Optional(True, {False: math.pi})}}

    found = compile("x", checked=False).evaluate(given)

    assert found == {True: [[1, 2]], "k": Optional(True, {False: math.pi})}


def test_an_evaluation_takes_a_bounded_number_of_steps() -> None:
    expression = compile("l.map(x, l.map(y, x + y))", TYPES)

    assert expression.evaluate(GIVEN, steps_max=6) == [[2, 3], [3, 4]]
    with pytest.raises(Fault):
        expression.evaluate(GIVEN, steps_max=5)
