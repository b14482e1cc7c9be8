"""What expressions mean, as tables: the value, or the kind of fault."""

import math

import pytest

from headrace.dsl.program import RuleFault
from tests.dsl.facts import EndpointFacts, checked, value

MIN, MAX = "-9223372036854775808", "9223372036854775807"
VALUES: list[tuple[str, object]] = [
    # ints: 64 bits, division towards zero
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("7 / -2", -3),
    ("7 % 3", 1),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("-7 % -3", -1),
    ("0x1F + 1_000", 1031),
    (MIN, -(2**63)),
    (f"{MAX} - 1 + 1", 2**63 - 1),
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("10 - 3 - 2", 5),
    ("endpoint.queue * 2 - 10", -4),
    # doubles: IEEE 754
    ("1.0 / 4.0", 0.25),
    ("1.0 / 0.0", math.inf),
    ("-1.0 / 0.0", -math.inf),
    ("1.0 / -0.0", -math.inf),
    ("0.0 / 0.0 == 0.0 / 0.0", False),
    ("0.0 / 0.0 != 0.0 / 0.0", True),
    ("1e308 * 10.0", math.inf),
    ("1.5e3", 1500.0),
    # comparisons may mix, and are then between doubles
    ("1 < 1.5", True),
    ("endpoint.queue == 3.0", True),
    ("9007199254740993 == 9007199254740992.0", True),
    (f"{MAX} == 9223372036854775808.0", True),
    ("endpoint.kv_cache < 1", True),
    ("'a' < 'b'", True),
    ("2s < 1min", True),
    # logic absorbs faults
    ("1 / endpoint.running == 1 || true", True),
    ("true || 1 / endpoint.running == 1", True),
    ("1 / endpoint.running == 1 && false", False),
    ("1 / endpoint.running == 1 && 2 / endpoint.running == 1 && false", False),
    ("1 / endpoint.running == 1 || 1 / endpoint.queue == 0", True),
    ("1 / endpoint.queue == 0 || 1 / endpoint.running == 1", True),
    ("!(endpoint.queue > 5)", True),
    # the branch that is not taken cannot fault
    ("endpoint.running == 0 ? 7 : 1 / endpoint.running", 7),
    ("true ? 1 : false ? 2 : 3", 1),
    ("false ? 1 : false ? 2 : 3", 3),
    # lists, maps, strings
    ("'english-bot' in endpoint.adapters", True),
    ("request.model in ['a', 'chatbot']", True),
    ("request.model in []", False),
    ("3 in [1, 2, endpoint.queue]", True),
    ("0.25 in [endpoint.kv_cache]", True),
    ("0.0 / 0.0 in [0.0 / 0.0]", False),
    ("'app' in endpoint.labels", True),
    ("endpoint.labels['app']", "gemma"),
    ("endpoint.labels.app", "gemma"),
    ("has(endpoint.labels.app) && !has(endpoint.labels.team)", True),
    ("endpoint.adapters[1]", "french-bot"),
    ("endpoint.adapters == ['english-bot', 'french-bot']", True),
    ("endpoint.adapters != ['english-bot']", True),
    ("{'a': 1, 'b': 2}['b']", 2),
    ("{1: 'x'}[1]", "x"),
    ("{'a': 1} == {'a': 1}", True),
    ("[1, 2] + [3]", [1, 2, 3]),
    ("'a' + \"b\" + r'\\n'", "ab\\n"),
    (r"'\x41\u00e9\101\n'", "AéA\n"),
    ("size('héllo') + size(endpoint.adapters) + endpoint.labels.size()", 8),
    ("request.path.startsWith('/v1') && request.path.endsWith('ions')", True),
    ("request.path.contains('chat')", True),
    ("request.path.matches('^/v[0-9]+/') && !matches(request.id, 'x')", True),
    ("request.header('X-Job') + request.header('absent')", "batch"),
    ("request.header('x-' + 'job')", "batch"),
    ("request.headers['x-job']", "batch"),
    ("null == null", True),
    # macros
    ("endpoint.adapters.exists(a, a.startsWith('french'))", True),
    ("endpoint.adapters.all(a, a.endsWith('-bot'))", True),
    ("endpoint.adapters.exists_one(a, a == request.adapter)", True),
    ("endpoint.adapters.filter(a, a != request.adapter)", ["french-bot"]),
    ("endpoint.adapters.map(a, size(a))", [11, 10]),
    ("[1, 2].exists(x, [3, 4].exists(y, x + y == endpoint.queue + 3))", True),
    ("[0, 1].exists(x, 1 / x == 1)", True),
    ("[0, 1].all(x, 1 / x == 2)", False),
    ("endpoint.labels.exists(k, k == 'app')", True),
    # conversions
    ("double(endpoint.queue)", 3.0),
    ("int(-2.9)", -2),
    ("int('-12') + int(3)", -9),
    ("double('1.5e2') + double(1.0)", 151.0),
    ("string(12) + string(true) + string('x')", "12truex"),
    ("math.least(3, endpoint.running) + math.greatest(1, 2, endpoint.queue)", 3),
    ("math.greatest(0.5, endpoint.kv_cache)", 0.5),
    # units
    ("80% + 5%", 0.8 + 0.05),
    ("5 % 2", 1),
    ("1h30min > 5399s && 500us < 1ms && 5ns < 1us && 1d == 24h", True),
    ("4KiB == request.size + 2KiB && 1MB == 1000KB && 10B == 10", True),
    # the vocabulary
    ("endpoint.age", 1.0),
    ("endpoint.age + 1s - 500ms", 1.5),
    ("endpoint.prefix_match", 0.75),
    ("pool.queue + pool.running", 3.5),
    ("has(endpoint.gpu) ? endpoint.gpu : 0.5", 0.5),
    ("request.stream && request.method == 'POST' && request.priority < 0", True),
]
FAULTS = [
    (f"{MAX} + endpoint.queue", "overflow"),
    (f"{MIN} - endpoint.queue", "overflow"),
    (f"{MAX} * endpoint.queue", "overflow"),
    (f"{MIN} / (endpoint.running - 1)", "overflow"),
    (f"{MIN} % (endpoint.running - 1)", "overflow"),
    (f"-({MIN} + endpoint.running)", "overflow"),
    ("1 / endpoint.running", "division-by-zero"),
    ("1 % endpoint.running", "division-by-zero"),
    ("endpoint.labels['team']", "missing"),
    ("request.headers['absent']", "missing"),
    ("endpoint.adapters[2]", "range"),
    ("endpoint.adapters[endpoint.running - 1]", "range"),
    ("int(1.0 / double(endpoint.running))", "range"),
    ("int(9223372036854775808.0 * pool.running)", "range"),
    ("int('99999999999999999999')", "range"),
    ("int(request.model)", "type"),
    ("double(request.model)", "type"),
    ("1 / endpoint.running == 1 && true", "division-by-zero"),
    ("1 / endpoint.running == 1 || 2 / endpoint.running == 1", "division-by-zero"),
    ("[0, 1].exists(x, 1 / x == 7)", "division-by-zero"),
    ("request.headers['absent'] == 'x' ? 1 : 2", "missing"),
]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[v[0] for v in VALUES])
def test_an_expression_has_this_value(text: str, expected: object) -> None:
    found = value(text)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("text", "kind"), FAULTS, ids=[f[0] for f in FAULTS])
def test_an_expression_faults_in_this_way(text: str, kind: str) -> None:
    assert value(text) == RuleFault(kind)


def test_an_optional_value_is_read_where_it_is_there() -> None:
    assert value("has(endpoint.gpu) && endpoint.gpu > 90%", EndpointFacts(gpu=0.95)) is True
    assert value("has(endpoint.gpu) && endpoint.gpu > 90%", EndpointFacts(gpu=None)) is False
    assert value("!has(endpoint.gpu) || endpoint.gpu > 90%", EndpointFacts(gpu=None)) is True


@pytest.mark.parametrize(
    "text",
    ["endpoint.kv_cache < 80%", "endpoint.kv_cache < 80%\n|| false", "[5%, 6%].size() > 1"],
)
def test_a_percent_sign_before_no_operand_is_a_percentage(text: str) -> None:
    assert checked(text)[0].type.known


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("endpoint.queue + endpoint.running", "(e.queue + e.running)"),
        ("1.0 / (1.0 + double(endpoint.queue))", "(1.0 / (1.0 + e.queue))"),
        ("endpoint.ready && endpoint.age < 2s", "(e.ready and ((now_s - e.scraped_at_s) < 2.0))"),
    ],
)
def test_what_cannot_fault_becomes_plain_python(text: str, rule: str) -> None:
    from headrace.dsl.cel import emit

    lines = emit.column(checked(text)[0], numeric=False).before

    assert lines == [f"return [{rule} for e in endpoints]"]


def test_what_no_endpoint_changes_is_computed_once() -> None:
    from headrace.dsl.cel import emit

    text = "request.adapter in endpoint.adapters && request.priority * 2 < endpoint.queue"
    lines = emit.column(checked(text)[0], numeric=False).before

    assert lines == [
        "h0 = request.adapter",
        "h1 = (request.priority * 2)",
        "return [((h0 in e.adapters) and (h1 < e.queue)) for e in endpoints]",
    ]
