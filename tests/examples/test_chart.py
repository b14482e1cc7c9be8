"""The chart renders, for every gateway of the examples, to what an API server takes.

Helm renders it: without Helm (`make helm` installs it) these tests are skipped, and say so.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any, cast

import pytest

from headrace.host.roles.role import parse_role
from tests.examples.manifests import (
    CHART,
    EXAMPLES,
    GATEWAYS,
    HELM,
    IMAGE,
    Json,
    helm,
    rendered,
    template,
)
from tests.examples.manifests import schemas as known
from tests.examples.validate import faults

pytestmark = pytest.mark.skipif(HELM is None, reason="Helm is not installed: `make helm`")
POLICY = ("--set-file", f"policy={EXAMPLES}/gke/policy.sched")
EVERYTHING = (
    *("--set", "autoscaling.enabled=true", "--set", "gke.enabled=true"),
    *("--set", "podMonitoring.enabled=true", "--set", "serviceMonitor.enabled=true"),
    *("--set", "serviceMonitor.labels.release=prometheus", "--set", "tlsSecret=own-tls"),
    *("--set", "podLabels.team=ml", "--set", "podAnnotations.a=b", "--set", "nodeSelector.pool=x"),
    *("--set", "extraArgs={--log-level=warning}", "--set", "extraEnv[0].name=TOKEN"),
    *("--set", "extraEnv[0].value=x", "--set", "existingSessionKey=own-key"),
    *("--set", "serviceAccount.annotations.a=b", "--set", "tolerations[0].operator=Exists"),
)


def one(documents: list[Json], kind: str) -> Json:
    """Return the only one of *documents* of that *kind*."""
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


def container(documents: list[Json]) -> Mapping[str, Any]:
    """Return the container of the deployment."""
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    return cast("Mapping[str, Any]", pod["containers"][0])


@pytest.mark.parametrize("more", [(), EVERYTHING], ids=["as it is", "with everything"])
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_what_it_renders_to_fits_the_definitions(gateway: str, more: tuple[str, ...]) -> None:
    documents = rendered(gateway, *more)
    schemas = known()
    names = [(d["kind"], d["metadata"]["namespace"], d["metadata"]["name"]) for d in documents]

    assert [fault for document in documents for fault in faults(document, schemas)] == []
    assert len(set(names)) == len(names)
    assert {d["metadata"]["namespace"] for d in documents} == {"models"}


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_headrace_takes_the_flags_that_it_is_given(gateway: str) -> None:
    documents = rendered(gateway)
    arguments = container(documents)["args"]
    roles = [parse_role(a.removeprefix("--role=")) for a in arguments if a.startswith("--role=")]
    services = {
        d["metadata"]["name"]: {p["port"] for p in d["spec"]["ports"]}
        for d in documents
        if d["kind"] == "Service"
    }
    ports = {port["containerPort"] for port in container(documents)["ports"]}

    for role in roles:
        assert role.health is not None
        door = "-".join(filter(None, ("headrace", role.chain, role.pool)))
        assert services[door] == {role.listen.port, role.health.port}
        assert services[door] <= ports
    assert len(roles) == len(services) - 1


def test_it_may_do_no_more_than_the_example_without_a_chart() -> None:
    import yaml

    plain = list(yaml.safe_load_all((EXAMPLES / "kubernetes" / "rbac.yaml").read_text()))
    documents = rendered("gke", "--set", "kube.namespaces={models,other}")
    roles = [d for d in documents if d["kind"] == "Role"]

    assert {role["metadata"]["namespace"] for role in roles} == {"models", "other"}
    for role in roles:
        assert role["rules"] == one(plain, "Role")["rules"]
    assert not any(d["kind"].startswith("Cluster") for d in documents)


def test_a_policy_from_objects_needs_no_file_and_the_rights_of_the_example() -> None:
    import yaml

    plain = list(yaml.safe_load_all((EXAMPLES / "kubernetes" / "policies.yaml").read_text()))
    label = "headrace.dev/policy=chat"
    values = ("-f", str(EXAMPLES / "gke" / "values.yaml"), *IMAGE)
    done = template(*values, "--set", f"kube.policiesFrom={label}")
    documents = [found for found in yaml.safe_load_all(done.stdout) if found]
    arguments = container(documents)["args"]
    (role,) = [d for d in documents if d["kind"] == "Role" and "policies" in d["metadata"]["name"]]

    assert role["rules"] == one(plain, "Role")["rules"]
    assert f"--policies-from={label}" in arguments
    assert "/etc/headrace/policy" not in arguments
    assert not [d for d in documents if d["kind"] == "ConfigMap"]
    assert {m["name"] for m in container(documents)["volumeMounts"]} == {"session", "tmp"}


def test_a_policy_with_all_endpoints_needs_no_rights_at_all() -> None:
    documents = rendered("gke", "--set", "kube.enabled=false")
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]

    assert not [d for d in documents if d["kind"] in ("Role", "RoleBinding")]
    assert "--kube" not in container(documents)["args"]
    assert pod["automountServiceAccountToken"] is False


def test_the_pod_is_nobody_and_writes_nothing_but_to_memory() -> None:
    documents = rendered("gke")
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    secure = container(documents)["securityContext"]
    mounts = {
        m["mountPath"]: m.get("readOnly", False) for m in container(documents)["volumeMounts"]
    }

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert secure["readOnlyRootFilesystem"] is True
    assert secure["allowPrivilegeEscalation"] is False
    assert secure["capabilities"] == {"drop": ["ALL"]}
    assert [path for path, readable in mounts.items() if not readable] == ["/tmp"]
    assert pod["terminationGracePeriodSeconds"] > 30 + 5


def test_an_upgrade_that_changes_the_policy_restarts_nothing() -> None:
    before = one(rendered("gke"), "Deployment")
    after = one(
        rendered("gke", "--set-file", f"policy={EXAMPLES}/istio/policy.sched"), "Deployment"
    )

    assert after == before


def test_the_policy_is_the_file_that_was_given() -> None:
    text = one(rendered("gke"), "ConfigMap")["data"]["policy.sched"]

    assert text.strip() == (EXAMPLES / "gke" / "policy.sched").read_text().strip()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (POLICY, "image.repository: build the Dockerfile"),
        (IMAGE, "policy: give the policy's text by --set-file policy=FILE"),
        ((*IMAGE, *POLICY, "--set", "replica=3"), "replica"),
        ((*IMAGE, *POLICY, "--set", "roles[0].port=80"), "1,024"),
        ((*IMAGE, *POLICY, "--set", "roles=null"), "roles"),
        ((*IMAGE, *POLICY, "--set", "image.pullPolicy=Sometimes"), "pullPolicy"),
        ((*IMAGE, *POLICY, "--kube-version", "1.28.0"), "kubeVersion"),
    ],
)
def test_values_that_cannot_work_are_refused_with_the_cure(
    arguments: tuple[str, ...], says: str
) -> None:
    done = template(*arguments)

    assert done.returncode != 0
    assert says in done.stderr


def test_helm_finds_nothing_to_complain_of() -> None:
    values = str(EXAMPLES / "gke" / "values.yaml")
    done = helm("lint", "--strict", str(CHART), "-f", values, *IMAGE, *POLICY)

    assert done.returncode == 0, done.stdout
    assert not re.search(r"\[(ERROR|WARNING)\]", done.stdout)


def test_a_rendering_with_a_wrong_field_would_be_found() -> None:
    deployment = copy.deepcopy(one(rendered("gke"), "Deployment"))
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 3

    assert any("`terminationGracePeriod` is no field" in one for one in faults(deployment, known()))
