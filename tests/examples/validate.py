"""Judge a manifest as an API server would: by its kind's definition, with defaults and rules."""

import copy
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, cast

from tests.examples.manifests import Json, kind_of

celpy: Any = import_module("celpy")
jsonschema: Any = import_module("jsonschema")
client: Any = import_module("kubernetes.client")

OWN = ("apiVersion", "kind", "metadata")
# Of the kinds that every API server has, the models of its client are the definition.
CORE = {
    "ConfigMap.v1": "V1ConfigMap",
    "Secret.v1": "V1Secret",
    "Service.v1": "V1Service",
    "ServiceAccount.v1": "V1ServiceAccount",
    "Deployment.v1.apps": "V1Deployment",
    "HorizontalPodAutoscaler.v2.autoscaling": "V2HorizontalPodAutoscaler",
    "NetworkPolicy.v1.networking.k8s.io": "V1NetworkPolicy",
    "PodDisruptionBudget.v1.policy": "V1PodDisruptionBudget",
    "CustomResourceDefinition.v1.apiextensions.k8s.io": "V1CustomResourceDefinition",
    "ClusterRoleBinding.v1.rbac.authorization.k8s.io": "V1ClusterRoleBinding",
    "Role.v1.rbac.authorization.k8s.io": "V1Role",
    "RoleBinding.v1.rbac.authorization.k8s.io": "V1RoleBinding",
}
CLUSTER_WIDE = ("GatewayClass", "ClusterRoleBinding", "CustomResourceDefinition")
PLAIN = {"bytes": str, "str": str, "int": int, "bool": bool, "float": (int, float)}
NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


class Unknown(Exception):
    """A kind that nothing here defines."""


def faults(document: Json, schemas: dict[str, Json]) -> list[str]:
    """Return what is wrong with *document*, one line each.

    Raises:
        Unknown: nobody has told what its kind is.
    """
    kind = kind_of(document)
    found = [*_metadata(document)]
    if kind in CORE:
        return [*found, *_typed(document, CORE[kind], kind)]
    if kind not in schemas:
        raise Unknown(kind)
    schema = schemas[kind]["schema"]
    body = {name: copy.deepcopy(value) for name, value in document.items() if name not in OWN}
    _default(body, schema)
    validator = jsonschema.Draft7Validator(schema)
    wrong = [
        f"{kind}{error.json_path[1:]}: {error.message}" for error in validator.iter_errors(body)
    ]
    return [*found, *(wrong or _broken(body, schema, kind))]


def _metadata(document: Json) -> Iterator[str]:
    name, namespace = document["metadata"].get("name"), document["metadata"].get("namespace")
    dotted = document["kind"] == "CustomResourceDefinition"  # of a plural and its group
    pattern = rf"^{NAME}(\.{NAME})+$" if dotted else f"^{NAME}$"
    if not jsonschema.Draft7Validator({"pattern": pattern}).is_valid(name):
        yield f"`{name}` is no name"
    if namespace is None and document["kind"] not in CLUSTER_WIDE:
        yield f"{document['kind']} `{name}` says no namespace"


def _default(value: Any, schema: Json) -> None:
    """Put in *value* what *schema* says of what is not said."""
    if isinstance(value, dict):
        fields = cast(Json, value)
        for name, sub in schema.get("properties", {}).items():
            if name not in fields and "default" in sub:
                fields[name] = copy.deepcopy(sub["default"])
            if name in fields:
                _default(fields[name], sub)
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            _default(one, schema.get("items", {}))


def _broken(value: Any, schema: Json, at: str) -> Iterator[str]:
    """Yield the rules of *schema* that do not hold of *value*, whose types are right."""
    # Of a value that is a number or a name the rules are about numbers.
    named = "x-kubernetes-int-or-string" in schema and isinstance(value, str)
    for rule in () if named else schema.get("x-kubernetes-validations", ()):
        verdict = _program(rule["rule"]).evaluate({"self": celpy.json_to_cel(value)})
        if not verdict:
            yield f"{at}: {rule['rule']}"
    if isinstance(value, dict):
        inner = schema.get("additionalProperties")
        for name, one in cast(Json, value).items():
            sub = schema.get("properties", {}).get(name, inner)
            if isinstance(sub, dict):
                yield from _broken(one, cast(Json, sub), f"{at}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(cast("list[Any]", value)):
            yield from _broken(one, schema.get("items", {}), f"{at}[{number}]")


@lru_cache(maxsize=512)
def _program(rule: str) -> Any:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule))


def _typed(value: Any, kind: str, at: str) -> Iterator[str]:
    """Yield where *value* is not what the client's type *kind* is."""
    inner = re.fullmatch(r"(list|dict)[\[(](?:str, )?(.+)[\])]", kind, re.IGNORECASE)
    if inner is not None and inner[1].lower() == "list":
        if not isinstance(value, list):
            yield f"{at}: no list"
            return
        for number, one in enumerate(cast("list[Any]", value)):
            yield from _typed(one, inner[2], f"{at}[{number}]")
    elif inner is not None:
        if not isinstance(value, dict):
            yield f"{at}: no mapping"
            return
        for name, one in cast(Json, value).items():
            yield from _typed(one, inner[2], f"{at}.{name}")
    elif kind in PLAIN:
        if not isinstance(value, PLAIN[kind]):
            yield f"{at}: `{value}` is no {kind}"
    elif kind not in ("object", "datetime"):
        yield from _modelled(value, kind, at)


def _modelled(value: Any, kind: str, at: str) -> Iterator[str]:
    model = getattr(client, kind)
    names = {wire: python for python, wire in model.attribute_map.items()}
    if not isinstance(value, dict):
        yield f"{at}: no {kind}"
        return
    fields = cast(Json, value)
    for name, one in fields.items():
        if name not in names:
            yield f"{at}: `{name}` is no field of {kind}"
        else:
            yield from _typed(one, model.openapi_types[names[name]], f"{at}.{name}")
    known = {names[name]: one for name, one in fields.items() if name in names}
    try:  # what is required, and the few bounds that the client knows
        model(**known)
    except (ValueError, TypeError) as error:
        yield f"{at}: {error}"
