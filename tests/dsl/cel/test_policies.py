"""The whole of CEL in policies: beside what policies treat themselves, the standard library."""

import pytest

from headrace.dsl import vocabulary
from headrace.dsl.cel import Optional, Timestamp, TypeName, Uint
from headrace.dsl.program import RuleFault
from headrace.dsl.source import Source
from headrace.dsl.syntax.blocks import split
from tests.dsl.facts import EndpointFacts, checked, value

VALUES: list[tuple[str, object]] = [
    # optionals
    ("request.headers[?'x-job'].orValue('none')", "batch"),
    ("request.headers[?'absent'].orValue('none')", "none"),
    ("request.headers[?'absent'].hasValue()", False),
    ("request.headers.?absent.or(request.headers[?'x-job']).value()", "batch"),
    ("endpoint.metric('vllm:x').orValue(0.0)", 1.5),
    ("endpoint.metric('vllm:y').orValue(0.25)", 0.25),
    ("endpoint.metric('vllm:y').optMap(m, m * 2.0).orValue(-1.0)", -1.0),
    ("endpoint.metric('vllm:x').optMap(m, m * 2.0).orValue(-1.0)", 3.0),
    ("endpoint.?gpu.orValue(0.5)", 0.5),
    ("endpoint.?age.orValue(2s) < 2s", True),
    ("optional.of(2s).orValue(1s)", 2.0),
    ("optional.none().hasValue()", False),
    ("optional.of(request.priority).orValue(1 / endpoint.running)", -10),
    ("endpoint.labels.?team.optFlatMap(t, endpoint.labels[?t]).hasValue()", False),
    ("[1, ?optional.of(2), ?optional.none()]", [1, 2]),
    ("{'a': 1, ?'b': optional.of(2)}['b']", 2),
    ("endpoint.adapters.first().orValue('') + endpoint.adapters.last().value()",
     "english-botfrench-bot"),
    # strings
    ("request.path.split('/')[1]", "v1"),
    ("request.path.lowerAscii().substring(1, 3).upperAscii()", "V1"),
    ("request.model.indexOf('bot') + request.model.lastIndexOf('b')", 8),
    ("'%s has %d waiting'.format([endpoint.name, endpoint.queue])", "gemma-a has 3 waiting"),
    ("request.model.replace('chat', 'cat').charAt(0)", "c"),
    ("'  x '.trim() + 'ab'.reverse()", "xba"),
    ("endpoint.adapters.join('+')", "english-bot+french-bot"),
    ("strings.quote('a\"b')", '"a\\"b"'),
    ("endpoint.labels.`app`", "gemma"),
    ("request.model == '''chatbot''' && b'ab' + b'\\x00' != b'ab'", True),
    # numbers
    ("math.ceil(endpoint.kv_cache) + math.round(0.5) + math.sqrt(4.0)", 4.0),
    ("math.abs(request.priority) + math.sign(request.priority)", 9),
    ("math.bitAnd(endpoint.queue, 2) + math.bitShiftLeft(1, 4)", 18),
    ("math.greatest([1, endpoint.queue, 2])", 3),
    ("math.isNaN(0.0 / double(endpoint.running))", True),
    ("uint(endpoint.queue) + 4u", Uint(7)),
    ("int(uint(endpoint.queue)) + 1", 4),
    ("string(endpoint.kv_cache) + string(2u)", "0.252"),
    ("dyn(endpoint.queue) == 3.0 && dyn(1) != 'x'", True),
    ("type(endpoint.queue) == int && type(endpoint.name) != int", True),
    ("type(endpoint.age)", TypeName("google.protobuf.Duration")),
    ("true > false", True),
    ("bytes('é').size()", 2),
    # times
    ("now", Timestamp(1_234_567_890_000_000_000)),
    ("now - timestamp('2009-02-13T23:31:00Z')", 30.0),
    ("now + 30s > timestamp('2009-02-13T23:31:59Z')", True),
    ("now.getHours() >= 18 || now.getDayOfWeek() == 0", True),
    ("now.getHours('Asia/Kolkata') * 100 + now.getMinutes('+05:30')", 501),
    ("string(now - 1ms) + ' ' + string(endpoint.age + 500ms)",
     "2009-02-13T23:31:29.999Z 1.500s"),
    ("duration('1m30s') > 89s && (90s).getMinutes() == 1", True),
    ("int(now) % 60", 30),
    # lists, maps and macros
    ("endpoint.adapters.map(a, a.endsWith('-bot'), a.size())", [11, 10]),
    ("endpoint.adapters.exists(i, a, i == 1 && a.startsWith('french'))", True),
    ("endpoint.adapters.transformList(i, a, a + string(i))", ["english-bot0", "french-bot1"]),
    ("endpoint.labels.transformMap(k, v, k + v)['app']", "appgemma"),
    ("[1, 2].transformMap(i, v, v * 2)[1]", 4),
    ("endpoint.labels.transformMapEntry(k, v, {v: k})['gemma']", "app"),
    ("endpoint.adapters.existsOne(a, a.size() == 10)", True),
    ("[3, 1, 2].sort() == [1, 2, 3] && [1, 1].distinct() == [1]", True),
    ("endpoint.adapters.sortBy(a, a.size())[0]", "french-bot"),
    ("lists.range(3).map(i, i * i).slice(1, 3)", [1, 4]),
    ("[[1], [2, 3]].flatten().reverse()", [3, 2, 1]),
    ("sets.contains(endpoint.adapters, [request.adapter])", True),
    ("cel.bind(free, 1.0 - endpoint.kv_cache, free * free)", 0.5625),
    ("cel.bind(x, 1 / endpoint.running, endpoint.running > 0 && x > 0)", False),
    ("{true: 'yes', false: 'no'}[endpoint.ready]", "yes"),
    ("{endpoint.name: endpoint.queue}['gemma-a']", 3),
    ("{'a': 1u} == {'a': 1u} && 1u in [1u, 2u]", True),
    ("[1].map(y, [2].map(y, [3].map(x, x * 10 + y)))[0][0][0]", 32),
    # what the pool and the model say
    ("pool.max.queue > 8 && pool.p90.kv_cache <= 80%", True),
    ("model.name + string(model.priority)", "chatbot10"),
    ("has(model.objective) && endpoint.predicted_ttft < model.objective", True),
    ("base64.encode(b'hi') + string(base64.decode('aGk'))", "aGk=hi"),
]  # fmt: skip
FAULTS = [
    ("request.headers[?'absent'].value() == 'x'", "missing"),
    ("uint(request.priority) > 1u", "range"),
    ("0u - uint(endpoint.queue) > 1u", "overflow"),
    ("request.path.substring(100) == ''", "range"),
    ("now.getHours('Nowhere/Land') > 1", "range"),
    ("timestamp(request.path) > now", "range"),
    ("{endpoint.name: 1, endpoint.zone + endpoint.name: 2, 'gemma-a': 3}.size() > 0", "type"),
    ("request.path.split('').exists(c, size('x'.replace('x', request.path)) > 5000)", None),
    ("dyn(endpoint.name) + dyn(1) == dyn(2)", "type"),
    ("[0, 1].transformMap(i, v, 1 / v).size() > 0", "division-by-zero"),
    ("lists.range(2000).exists(i, i < 0)", "range"),
]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[v[0] for v in VALUES])
def test_an_expression_of_a_policy_has_this_value(text: str, expected: object) -> None:
    found = value(text)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("text", "kind"), FAULTS, ids=[f[0] for f in FAULTS])
def test_an_expression_of_a_policy_faults_in_this_way(text: str, kind: str | None) -> None:
    assert value(text) == (RuleFault(kind) if kind else False)


def test_a_missing_optional_reads_as_none_of_it() -> None:
    assert value("endpoint.?gpu", EndpointFacts(gpu=None)) == Optional(False)
    assert value("endpoint.?gpu", EndpointFacts(gpu=0.5)) == Optional(True, 0.5)


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("1.0 + 2.0", "static"),
        ("endpoint.queue + 1", "scrape"),
        ("pool.kv_cache > 5% || pool.max.queue > 3", "scrape"),
        ("endpoint.metric('x').hasValue()", "scrape"),
        ("endpoint.age < 2s", "request"),
        ("endpoint.prefix_match", "request"),
        ("request.priority < endpoint.queue", "request"),
        ("now.getHours() > 3", "request"),
        ("model.priority > 3", "request"),
    ],
)
def test_a_rule_is_known_as_early_as_what_it_reads(text: str, stage: str) -> None:
    assert vocabulary.stage_of(checked(text)[0].reads) == stage


def test_a_text_of_several_lines_does_not_end_its_block() -> None:
    texts = ['"""{\npool b { """', "r'''{\nmodel c { \\'''", "b'''}\n}'''"]
    rules = [f"filter f{i} = {text}.size() > 3" for i, text in enumerate(texts)]

    blocks = split(Source("t", "sched 1\n" + "\n".join(rules)))

    assert [block.keyword for block in blocks] == ["sched", "filter", "filter", "filter"]
