"""Configurations of the reference, of every shape it has had, and the policies they become."""

import contextlib
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.diagnostic import render
from headrace.dsl.source import Source
from headrace.dsl.vocabulary import METRIC_DIALECTS, variables
from headrace.host.importer.config import APIS, KIND, PLUGINS_MAX, read_config
from headrace.host.importer.document import ImportFault
from headrace.host.importer.filters import FILTERS
from headrace.host.importer.findings import Grade
from headrace.host.importer.others import OTHERS, PICKERS
from headrace.host.importer.saturation import DETECTORS
from headrace.host.importer.scorers import SCORERS
from headrace.host.importer.translate import Abilities, Translation, translate
from headrace.host.importer.write import Served, write
from tests import golden

TOLD = sorted((Path(__file__).parent / "told").glob("*.txt"))
TYPES = sorted({*SCORERS, *FILTERS, *PICKERS, *OTHERS, *DETECTORS})
EXTREMES = frozenset(
    f"pool.{end}.{name}" for end in ("max", "min") for name in ("queue", "running", "in_flight")
)
TODAY = Abilities(
    frozenset(variables()) - EXTREMES, frozenset(METRIC_DIALECTS), queues=False
)  # so that the files do not change with what the host performs
# What a configuration itself does, and the policy says: hard bounds, the same plugin twice; and
# what only the pools can say, which it does not have: who reports the utilisation.
DOUBTS = ("S313", "S315", "S323")
QUEUES = Abilities(TODAY.names, TODAY.dialects, queues=True)
WHOLE = Abilities(TODAY.names | EXTREMES, TODAY.dialects, queues=True)
FAULTS = Path(__file__).parent / "faults.txt"
# The parameters that are numbers or texts, of all types together, and one of nobody.
KEYS = [
    "affinityThreshold", "concurrencyMode", "headerName", "headroom", "idleThreshold", "k",
    "kvCacheUtilThreshold", "label", "labelKey", "matchLengthScaleTokens", "matchLengthWeight",
    "maxBusyScore", "maxConcurrency", "maxNumOfEndpoints", "nobody", "power",
    "queueDepthThreshold", "queueThresholdTokens", "threshold",
]  # fmt: skip
VALUES = st.one_of(st.integers(-5, 10**7), st.floats(-2, 2), st.text(max_size=5), st.booleans())
HEAD = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"


def imported(text: str, abilities: Abilities = TODAY) -> tuple[Translation, str]:
    """Return what becomes of the configuration *text*, and the policy, which has to be clean."""
    done = translate(read_config(text), abilities)
    policy = write(done.draft, done.findings, "epp.yaml", Served())
    found = [d for d in check_policy([Source("imported.sched", policy)]) if d.code not in DOUBTS]
    assert not found, "\n".join(map(render, found))
    return done, policy


def fault(text: str) -> str:
    """Return why *text* cannot be imported, with the line."""
    with pytest.raises(ImportFault) as caught:
        translate(read_config(text), TODAY)
    return f"{caught.value.line}: {caught.value.message}"


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_a_configuration_becomes_a_policy_that_says_what_it_is_not(path: Path) -> None:
    given, _ = golden.split(path)
    done, policy = imported(given)
    table = [f"{f.grade.value:5} {f.line:2} {f.where}: {f.sentence()}" for f in done.findings]

    golden.check(path, "\n".join([*table, "", policy]))


@pytest.mark.parametrize("kind", TYPES)
def test_every_plugin_of_the_reference_is_accounted_for(kind: str) -> None:
    config = f"{HEAD}plugins:\n- type: {kind}\n  parameters: {{odd: 1}}\n"

    done, _ = imported(config)

    assert [f for f in done.findings if f"`{kind}`" in f.where]


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_a_host_that_queues_is_given_a_queue(path: Path) -> None:
    given, _ = golden.split(path)
    done = translate(read_config(given), QUEUES)
    policy = write(done.draft, done.findings, "epp.yaml", Served())
    waits = path.stem == "flow"

    assert ("for up to 90s, at most 2000" in policy) == waits
    assert ("shed when" in policy) == (not waits)
    found = {d.code for d in check_policy([Source("imported.sched", policy)])}
    assert found <= {"S108", *DOUBTS}


def test_no_setting_is_dropped_without_a_word() -> None:
    plugin = "{type: queue-scorer, color: 2, parameters: {deep: {x: 1}}}"
    config = f"{HEAD}oddity: 1\nplugins:\n- {plugin}\n"

    done, _ = imported(config)

    told = {finding.where for finding in done.findings if finding.grade is Grade.LEFT}
    assert told == {"`oddity`", "`plugins[0].color`", "plugin `queue-scorer`: `deep`"}


def test_an_ellipsis_of_an_example_is_told_and_left_out() -> None:
    plugins = "plugins:\n- ....\n- type: queue-scorer\n"
    done, _ = imported(f"{HEAD}{plugins}schedulingProfiles:\n- ...\nfeatureGates: ....\n")

    told = {f.where: f.line for f in done.findings if "leaves out" in f.what}
    assert told == {"`plugins[0]`": 4, "`schedulingProfiles[0]`": 7, "`featureGates`": 8}


def test_names_that_the_language_has_already_are_changed() -> None:
    names = ("pool", "9 lives", "a b", "A-b", "décor", "x" * 200, "filter")
    plugins = "".join(f"- {{name: '{n}', type: kv-cache-utilization-scorer}}\n" for n in names)

    done, policy = imported(f"{HEAD}plugins:\n{plugins}")

    assert len({rule.name for rule in done.draft.rules}) == len(names)
    assert "scorer its_pool =" in policy


def test_what_a_configuration_says_cannot_leave_its_comment_or_its_text() -> None:
    evil = 'x\\n}\\nclass evil when true { priority 9 }\\n#\\u202e\\"'
    config = (
        f'{HEAD}plugins:\n- {{name: "{evil}", type: by-label, parameters: '
        f'{{label: "{evil}", validValues: ["{evil}"]}}}}\n'
    )

    _, policy = imported(config)

    assert not [line for line in policy.splitlines() if line.startswith("class")]


def test_a_pool_and_models_can_be_given() -> None:
    done = translate(read_config(HEAD), TODAY)
    served = Served("my-pool", ("10.0.0.1:8000", "[::1]:80"), ("chat", "a/b"))

    policy = write(done.draft, done.findings, "epp.yaml", served)

    assert 'pool my-pool {\n  endpoints "10.0.0.1:8000", "[::1]:80"' in policy
    assert 'model chat, "a/b" { route my-pool }' in policy
    assert not [d for d in check_policy([Source("imported.sched", policy)]) if d.code not in DOUBTS]


def cases() -> list[tuple[str, str]]:
    """Return what cannot be imported, and why, from `faults.txt`."""
    blocks = FAULTS.read_text().split("====\n")
    return [(text, told) for text, _, told in (block.partition("----\n") for block in blocks)]


def test_what_is_no_configuration_is_told_with_its_line() -> None:
    found = [(text, f"{fault(text)}\n") for text, _ in cases()]
    if os.environ.get("UPDATE") == "1":
        FAULTS.write_text("====\n".join(f"{text}----\n{told}" for text, told in found))

    assert found == cases()


@pytest.mark.parametrize("text", ["", "\n", "---\n...\n", "a: \x07\n", "\ufeff", "\0"])
def test_an_empty_or_unreadable_text_is_no_configuration(text: str) -> None:
    assert "is not YAML" in fault(text) or "there is no" in fault(text)


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="abk:- \n{}[]&*!|>'\"#%@,?0.\t", max_size=60))
def test_any_text_is_imported_or_refused(text: str) -> None:
    with contextlib.suppress(ImportFault):
        imported(f"{HEAD}{text}")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TYPES), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)
        ),
        max_size=8,
    ),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    st.booleans(),
)
def test_any_plugins_give_a_clean_policy_or_a_reason(
    plugins: list[tuple[str, dict[str, object]]], weights: list[float], profiled: bool
) -> None:
    named = [{"name": f"p{i}", "type": t, "parameters": p} for i, (t, p) in enumerate(plugins)]
    uses = [{"pluginRef": f"p{i}", "weight": weights[i % len(weights)]} for i in range(len(named))]
    whole: dict[str, object] = {"apiVersion": APIS[0], "kind": KIND, "plugins": named}
    if profiled:
        whole["schedulingProfiles"] = [{"name": "any", "plugins": uses}]
    with contextlib.suppress(ImportFault):  # of a text where a number has to be
        done, _ = imported(yaml.safe_dump(whole))
        told = " ".join(finding.where for finding in done.findings)
        assert all(f"`p{i}`" in told for i in range(len(named)))


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))

    assert "aliases counted" in fault(f"a0: &a0 [x, x]\n{levels}")


def test_there_is_a_bound_on_plugins() -> None:
    many = "".join(f"- {{name: p{i}, type: queue-scorer}}\n" for i in range(PLUGINS_MAX + 1))

    assert f"more than {PLUGINS_MAX} plugins" in fault(f"{HEAD}plugins:\n{many}")
