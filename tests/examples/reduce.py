"""Reduce published definitions of resources to what the examples use.

`python -m tests.examples.reduce FOLDER`, where FOLDER has a clone of each repository below, as
OWNER/NAME. Only facts are kept: names of fields, types, bounds and rules, and none of the text.
A field that the examples begin to use is unknown until this is run again; the definition
decides then.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from tests.examples.manifests import GATEWAYS, SCHEMAS, Json, documents, kind_of, rendered

KEPT = (
    "type",
    "default",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "nullable",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
META = ("apiVersion", "kind", "metadata", "status")


@dataclass(frozen=True, slots=True)
class Source:
    """Where definitions are. All of these repositories are under the Apache License 2.0."""

    repository: str
    path: str


SOURCES = (
    Source("GoogleCloudPlatform/gke-gateway-api", "config/crd"),
    Source("GoogleCloudPlatform/prometheus-engine", "charts/operator/crds"),
    Source("kubernetes-sigs/gateway-api", "config/crd/standard"),
    Source("kubernetes-sigs/gateway-api-inference-extension", "config/crd/bases"),
    Source("llm-d/llm-d-router", "config/crd/bases"),
    Source("envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds/generated"),
    Source("istio/api", "kubernetes/customresourcedefinitions.gen.yaml"),
    Source("agentgateway/agentgateway", "controller/install/helm/agentgateway-crds/templates"),
    Source(
        "prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
)


def reduce(schema: Json, values: Sequence[Any]) -> Json:
    """Return *schema* for *values* alone: with the fields that they have, or must have."""
    kept: Json = {name: schema[name] for name in KEPT if name in schema}
    if "required" in schema:
        kept["required"] = schema["required"]
    for name in ("oneOf", "anyOf", "allOf", "not"):
        if name in schema:
            kept[name] = _bare(schema[name])
    rules = [one["rule"] for one in schema.get("x-kubernetes-validations", ())]
    # A rule of how something may change says nothing of what is new.
    if lasting := [{"rule": rule} for rule in rules if "oldSelf" not in rule]:
        kept["x-kubernetes-validations"] = lasting
    if "properties" in schema:
        used = {key for value in values if isinstance(value, dict) for key in cast(Json, value)}
        kept["properties"] = {
            name: reduce(sub, [value[name] for value in values if name in value])
            for name, sub in schema["properties"].items()
            if name in used or "default" in sub  # rules may ask for what nobody has said
        }
    if isinstance(schema.get("additionalProperties"), dict):
        inner = [one for value in values for one in cast(Json, value).values()]
        kept["additionalProperties"] = reduce(schema["additionalProperties"], inner)
    elif "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        kept["additionalProperties"] = False
    if "items" in schema:
        kept["items"] = reduce(schema["items"], [one for value in values for one in value])
    return kept


def _bare(tree: Any) -> Any:
    """Return *tree* without its text."""
    if isinstance(tree, dict):
        found = cast(Json, tree)
        return {key: _bare(value) for key, value in found.items() if key != "description"}
    return [_bare(one) for one in cast("list[Any]", tree)] if isinstance(tree, list) else tree


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def _definitions(folder: Path, source: Source) -> list[tuple[str, Json]]:
    """Return the definitions of *source*, each with the file that it is in."""
    names = _git(folder, "ls-tree", "-r", "--name-only", "HEAD", source.path).split()
    found: list[tuple[str, Json]] = []
    for name in (one for one in names if one.endswith(".yaml")):
        lines = _git(folder, "show", f"HEAD:{name}").splitlines()
        text = "\n".join(line for line in lines if not line.startswith("{{"))
        for one in yaml.safe_load_all(text):
            if one and one["kind"] == "CustomResourceDefinition":
                found.append((name, one))
    return found


def main() -> None:
    """Write the definitions that the examples need."""
    used: dict[str, list[Json]] = {}
    for document in [d for _, d in documents()] + [d for g in GATEWAYS for d in rendered(g)]:
        used.setdefault(kind_of(document), []).append(document)
    SCHEMAS.mkdir(exist_ok=True)
    for source in SOURCES:
        folder = Path(sys.argv[1]) / source.repository
        commit = _git(folder, "rev-parse", "HEAD").strip()
        for name, definition in _definitions(folder, source):
            _write(
                definition, used, {"repository": source.repository, "commit": commit, "path": name}
            )


def _write(definition: Json, used: dict[str, list[Json]], source: Json) -> None:
    spec = definition["spec"]
    for version in spec["versions"]:
        kind = f"{spec['names']['kind']}.{version['name']}.{spec['group']}"
        if kind not in used:
            continue
        schema = version["schema"]["openAPIV3Schema"]
        bodies = [{k: v for k, v in one.items() if k not in META} for one in used[kind]]
        reduced = reduce({**schema, "properties": _own(schema["properties"])}, bodies)
        text = json.dumps({"source": source, "schema": reduced}, indent=1, sort_keys=True)
        (SCHEMAS / f"{kind}.json").write_text(f"{text}\n")
        print(kind)


def _own(properties: Json) -> Json:
    return {name: sub for name, sub in properties.items() if name not in META}


if __name__ == "__main__":
    main()
