"""The manifests of the examples: as they are in the tree, and as the chart renders to."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CHART = EXAMPLES / "helm" / "headrace"
SCHEMAS = Path(__file__).parent / "schemas"
GATEWAYS = ("gke", "envoy-gateway", "istio", "agentgateway", "plain-envoy")
NOT_MANIFESTS = ("values.yaml", "envoy.yaml", "rehearsal.yaml")
HELM = shutil.which("helm") or shutil.which("helm", path=str(ROOT / ".venv" / "bin"))
IMAGE = ("--set", "image.repository=registry.example/headrace")

Json = dict[str, Any]  # a JSON object, of any kind of resource


def documents() -> Iterator[tuple[str, Json]]:
    """Yield every manifest of the tree, and where it is."""
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        if path.name in NOT_MANIFESTS or CHART in path.parents:
            continue
        for found in yaml.safe_load_all(path.read_text()):
            if found:
                yield path.relative_to(EXAMPLES).as_posix(), found


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run helm, which is there, to its end."""
    assert HELM is not None, "only asked where it is installed"
    return subprocess.run(
        [HELM, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def template(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Render the chart as release `headrace` in `models`."""
    about = ("--namespace", "models", "--kube-version", "1.32.0")
    return helm("template", "headrace", str(CHART), *about, *arguments)


def rendered(gateway: str, *more: str) -> list[Json]:
    """Return what the chart renders to for *gateway*, with its policy."""
    folder = EXAMPLES / gateway
    done = template(
        *("-f", str(folder / "values.yaml"), "--set-file", f"policy={folder}/policy.sched"),
        *IMAGE,
        *more,
    )
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def kind_of(document: Mapping[str, Any]) -> str:
    """Return the kind of *document* with its group and version, as schemas are named."""
    group, _, version = str(document["apiVersion"]).rpartition("/")
    return f"{document['kind']}.{version}.{group}".rstrip(".")


def schemas() -> dict[str, Json]:
    """Return the reduced definitions by the kind that they are of."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(SCHEMAS.glob("*.json"))}


def values_at(documents: Sequence[Json], *path: str) -> list[Any]:
    """Return what is at *path* in each of *documents* that has it."""
    found: list[Any] = []
    for document in documents:
        at: Any = document
        for name in path:
            at = cast(Json, at).get(name) if isinstance(at, dict) else None
        if at is not None:
            found.append(at)
    return found
