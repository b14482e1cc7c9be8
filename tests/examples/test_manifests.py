"""Every manifest of the examples is one that an API server with its definitions takes."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from tests.e2e.rig.envoy import validate
from tests.examples.manifests import (
    EXAMPLES,
    GATEWAYS,
    SCHEMAS,
    Json,
    documents,
    kind_of,
    schemas,
    values_at,
)
from tests.examples.validate import Unknown, faults

DOCUMENTS = list(documents())
KNOWN = schemas()
# Nobody has published a definition; the page that shows it is cited where it is used.
UNPUBLISHED = {"AutoscalingMetric.v1beta1.autoscaling.gke.io"}
GOOGLES_EXTENSIONS = ("GCPRoutingExtension", "GCPTrafficExtension")


def named(kind: str, folder: str) -> list[Json]:
    """Return the manifests of *kind* in the example *folder*."""
    return [d for where, d in DOCUMENTS if d["kind"] == kind and where.startswith(f"{folder}/")]


@pytest.mark.parametrize(
    "document", [d for _, d in DOCUMENTS], ids=[f"{w}:{d['kind']}" for w, d in DOCUMENTS]
)
def test_a_manifest_fits_its_published_definition(document: Json) -> None:
    if kind_of(document) in UNPUBLISHED:
        with pytest.raises(Unknown):
            faults(document, KNOWN)
        return

    assert faults(document, KNOWN) == []


def test_what_does_not_fit_is_found() -> None:
    (route,) = named("GCPRoutingExtension", "gke")
    wrong: list[Json] = [copy.deepcopy(route) for _ in range(5)]
    extension = [one["spec"]["extensionChains"][0]["extensions"][0] for one in wrong]
    extension[0]["requestBodySendMode"] = "Buffered"
    extension[1]["timeOut"] = "1s"
    del extension[2]["name"]
    extension[3]["timeout"] = "1 s"
    wrong[4]["metadata"].pop("namespace")
    ports = copy.deepcopy(named("InferencePool", "gke")[0])
    ports["spec"]["targetPorts"] = [{"number": 8000}, {"number": 8000}]
    mode = copy.deepcopy(named("EnvoyExtensionPolicy", "envoy-gateway")[0])
    mode["spec"]["extProc"][0]["failOpen"] = True
    deployment = copy.deepcopy(named("Deployment", "plain-envoy")[0])
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Never"

    for document in (*wrong, ports, mode, deployment):
        assert len(faults(document, KNOWN)) >= 1, document


def test_a_definition_says_where_it_is_from_and_is_used() -> None:
    used = {kind_of(document) for _, document in DOCUMENTS}
    used |= {
        "PodMonitoring.v1.monitoring.googleapis.com",
        "ServiceMonitor.v1.monitoring.coreos.com",
    }

    for path in SCHEMAS.glob("*.json"):
        source = json.loads(path.read_text())["source"]
        assert set(source) == {"repository", "commit", "path"}
        assert path.stem in used


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_policy_routes_to_the_pools_that_its_manifests_have(gateway: str) -> None:
    policy = EXAMPLES / gateway / "policy.sched"
    program = compile_policy([Source(str(policy), policy.read_text())])
    pools = {
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in named("InferencePool", gateway)
    }
    followed = [pool.inference_pool for pool in program.pools.values()]

    assert {(ref.namespace, ref.name) for ref in followed if ref is not None} == pools


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_what_calls_headrace_calls_a_role_that_is_played(gateway: str) -> None:
    values = yaml.safe_load((EXAMPLES / gateway / "values.yaml").read_text())
    played = {
        ("-".join(filter(None, ("headrace", r["name"], r.get("pool")))), r["port"])
        for r in values["roles"]
    }
    called = {
        (one["name"], one["port"]["number"])
        for one in values_at(named("InferencePool", gateway), "spec", "endpointPickerRef")
    }
    for kind in GOOGLES_EXTENSIONS:
        for chains in values_at(named(kind, gateway), "spec", "extensionChains"):
            for extension in chains[0]["extensions"]:
                called.add((extension["backendRef"]["name"], extension["backendRef"]["port"]))
                role = next(
                    r for r in values["roles"] if r["port"] == extension["backendRef"]["port"]
                )
                assert extension["timeout"] == role["timeout"]
    for policies in values_at(named("EnvoyExtensionPolicy", gateway), "spec", "extProc"):
        called |= {(ref["name"], ref["port"]) for one in policies for ref in one["backendRefs"]}
    for traffic in values_at(named("AgentgatewayPolicy", gateway), "spec", "traffic", "extProc"):
        called.add((traffic["backendRef"]["name"], traffic["backendRef"]["port"]))

    assert called <= played
    assert gateway == "plain-envoy" or called


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["gke/rehearsal.yaml", "plain-envoy/envoy.yaml"])
def test_an_envoy_takes_its_configuration(name: str, tmp_path: Path) -> None:
    assert validate(yaml.safe_load((EXAMPLES / name).read_text()), tmp_path) == ""


@pytest.mark.e2e
def test_an_envoy_takes_the_filter_that_istio_is_told_to_insert(tmp_path: Path) -> None:
    (patches,) = values_at(named("EnvoyFilter", "istio"), "spec", "configPatches")
    (patch,) = patches
    config: Any = yaml.safe_load((EXAMPLES / "plain-envoy" / "envoy.yaml").read_text())
    (chain,) = config["static_resources"]["listeners"][0]["filter_chains"]
    chain["filters"][0]["typed_config"]["http_filters"].insert(0, patch["patch"]["value"])
    called = patch["patch"]["value"]["typed_config"]["grpc_service"]["envoy_grpc"]["cluster_name"]
    unknown = validate(config, tmp_path)
    cluster = copy.deepcopy(config["static_resources"]["clusters"][1])
    cluster["name"] = cluster["load_assignment"]["cluster_name"] = called
    config["static_resources"]["clusters"].append(cluster)

    assert called == "outbound|9004||headrace-route.models.svc.cluster.local"
    assert "headrace-route" in unknown or unknown == ""
    assert validate(config, tmp_path) == ""
