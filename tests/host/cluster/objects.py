"""Objects as the API server has them, and where a test finds its double."""

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.host.cluster.api import Access, Api
from headrace.host.cluster.resource import ADAPTER_LABELS, EXTENSION_GROUPS, POOL_GROUP
from tests.host.cluster.apiserver import ApiServer, Kind, serving

POOLS = Kind(POOL_GROUP, "v1", "inferencepools", "InferencePool")
OBJECTIVES, OLD_OBJECTIVES = (
    Kind(group, "v1alpha2", "inferenceobjectives", "InferenceObjective")
    for group in EXTENSION_GROUPS
)
REWRITES, OLD_REWRITES = (
    Kind(group, "v1alpha2", "inferencemodelrewrites", "InferenceModelRewrite")
    for group in EXTENSION_GROUPS
)
CONFIG_MAPS = Kind("", "v1", "configmaps", "ConfigMap")
SCHED_POLICIES = Kind("headrace.dev", "v1alpha1", "schedpolicies", "SchedPolicy")
CUSTOM = (CONFIG_MAPS, POOLS, OBJECTIVES, OLD_OBJECTIVES, REWRITES, OLD_REWRITES, SCHED_POLICIES)
PATIENCE_S = 10.0
Json = dict[str, Any]


def pod(
    name: str, ip: str = "10.0.0.1", *, ready: bool = True, app: str = "gemma", **labels: str
) -> Json:
    """Return a pod."""
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": {"name": name, "labels": {"app": app, **labels}},
        "spec": {"containers": [{"name": "server", "image": "vllm"}]},
        "status": {"podIP": ip, "phase": "Running", "conditions": conditions},
    }


def pool(name: str = "gemma", app: str = "gemma", ports: tuple[int, ...] = (8000,)) -> Json:
    """Return an InferencePool."""
    return {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": app}},
            "targetPorts": [{"number": port} for port in ports],
            "endpointPickerRef": {"name": "headrace", "port": {"number": 9002}},
        },
    }


def objective(name: str, priority: int | None = 0, pool: str = "gemma", models: str = "") -> Json:
    """Return an InferenceObjective."""
    spec: Json = {"poolRef": {"name": pool}}
    if priority is not None:
        spec["priority"] = priority
    notes = {"annotations": {"headrace.dev/models": models}} if models else {}
    return {"metadata": {"name": name, **notes}, "spec": spec}


def rewrite(
    name: str, targets: dict[str, int | None], models: tuple[str, ...] = (), pool: str = "gemma"
) -> Json:
    """Return an InferenceModelRewrite with one rule."""
    rule: Json = {
        "targets": [
            {"modelRewrite": target} | ({} if weight is None else {"weight": weight})
            for target, weight in targets.items()
        ]
    }
    if models:
        rule["matches"] = [{"model": {"type": "Exact", "value": model}} for model in models]
    return {"metadata": {"name": name}, "spec": {"poolRef": {"name": pool}, "rules": [rule]}}


def adapters(name: str, base: str, listed: str, label: str = ADAPTER_LABELS[0]) -> Json:
    """Return a ConfigMap that says of which base model adapters are."""
    return {
        "metadata": {"name": name, "labels": {label: "true"}},
        "data": {"baseModel": base, "adapters": listed},
    }


POLICY_LABEL = ("headrace.dev/policy", "chat")


def policy_map(name: str, **texts: str) -> Json:
    """Return a ConfigMap that holds texts of a policy, each under its key and `.sched`."""
    data = {f"{key}.sched": text for key, text in texts.items()}
    return {"metadata": {"name": name, "labels": dict([POLICY_LABEL])}, "data": data}


def sched_policy(name: str, text: str | None = None, **texts: str) -> Json:
    """Return a SchedPolicy of one text, or of several under their keys and `.sched`."""
    files = {f"{key}.sched": one for key, one in texts.items()}
    spec: Json = {"files": files} if text is None else {"text": text}
    return {"metadata": {"name": name, "labels": dict([POLICY_LABEL])}, "spec": spec}


def kubeconfig(folder: Path, server: ApiServer, namespace: str = "default") -> Path:
    """Write a kubeconfig for *server*, and return where."""
    path = folder / "kubeconfig"
    user = {"token": server.token} if server.token else {}
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "double", "cluster": {"server": server.url}}],
                "users": [{"name": "me", "user": user}],
                "contexts": [
                    {
                        "name": "here",
                        "context": {"cluster": "double", "user": "me", "namespace": namespace},
                    }
                ],
            }
        )
    )
    return path


@contextmanager
def reached(folder: Path, *, silent_s: float = 5.0, **settings: Any) -> Generator[Any]:
    """Run a double with all kinds installed; yield it, and an `Api` that reaches it."""
    with serving(**settings) as server:
        server.shelf.installed |= set(CUSTOM)
        yield server, Api(Access(kubeconfig(folder, server), silent_s=silent_s))


def until(holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until *holds*."""
    until_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until_s, "it never came to be"
        time.sleep(0.005)
