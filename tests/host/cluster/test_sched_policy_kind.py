"""The definition of SchedPolicy takes what we read and what we write, and nothing else."""

from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from msgspec import Raw

from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.diagnostic import Diagnostic, PolicyError
from headrace.dsl.source import Source
from headrace.host.cluster.condition import patch_of
from headrace.host.cluster.objects import Meta, Object
from headrace.host.cluster.pieces import read_sched_policy, sched_policies
from headrace.host.cluster.standing import wanted
from headrace.host.serve.texts import Judged, Stand
from tests.examples.validate import faults

EXAMPLE = Path(__file__).parents[3] / "examples" / "kubernetes" / "policies.yaml"
(CRD,) = (
    cast("dict[str, Any]", one)
    for one in yaml.safe_load_all(EXAMPLE.read_text())
    if one["kind"] == "CustomResourceDefinition"
)
(VERSION,) = CRD["spec"]["versions"]
SCHEMA = {"SchedPolicy.v1alpha1.headrace.dev": {"schema": VERSION["schema"]["openAPIV3Schema"]}}


def made(spec: object, **more: object) -> dict[str, Any]:
    """Return a SchedPolicy of *spec*."""
    about = {"apiVersion": "headrace.dev/v1alpha1", "kind": "SchedPolicy"}
    return {**about, "metadata": {"name": "chat", "namespace": "default"}, "spec": spec, **more}


def test_it_is_the_kind_that_is_followed() -> None:
    followed, spec = sched_policies("default", ()), CRD["spec"]

    assert CRD["metadata"]["name"] == f"{followed.plural}.{followed.group}"
    assert (spec["group"], spec["names"]["plural"]) == (followed.group, followed.plural)
    assert (VERSION["name"], spec["scope"]) == (followed.version, "Namespaced")
    assert VERSION["subresources"] == {"status": {}}


@pytest.mark.parametrize("spec", [{"text": "sched 1"}, {"files": {"a.sched": "", "b.sched": ""}}])
def test_what_has_one_of_both_is_taken(spec: object) -> None:
    assert faults(made(spec), SCHEMA) == []


@pytest.mark.parametrize(
    "spec",
    [{}, {"text": "", "files": {"a.sched": ""}}, {"text": 1}, {"files": {}}, {"files": ["a"]}],
)
def test_what_has_none_or_both_or_no_text_is_not(spec: object) -> None:
    assert faults(made(spec), SCHEMA) != []


@pytest.mark.parametrize("stand", list(Stand))
def test_every_status_that_is_written_fits(stand: Stand) -> None:
    one = Object(Meta("chat", "u", "7", generation=3), spec=Raw(b'{"text": "sched 1\\npool p {"}'))
    piece = read_sched_policy(one, "default")
    found = _errors_of(piece.sources[0])
    judged = Judged(stand, "d" * 64, ["error: no"], found)
    there = {"metadata": {"uid": "u", "generation": 3, "resourceVersion": "7"}}
    patch = patch_of(there, wanted(piece, judged), "2026-12-01T00:00:00Z")

    assert patch is not None
    assert patch["status"]["diagnostics"] != []
    assert faults(made({"text": ""}, status=patch["status"]), SCHEMA) == []


def _errors_of(source: Source) -> list[Diagnostic]:
    with pytest.raises(PolicyError) as told:
        compile_policy([source])
    return list(told.value.diagnostics)
