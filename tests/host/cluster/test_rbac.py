"""What the example allows is what is asked for, and no more."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import yaml

from headrace.host.cluster.resource import (
    adapter_maps,
    inference_pool,
    objectives,
    pods,
    rewrites,
)

EXAMPLE = Path(__file__).parents[3] / "examples" / "kubernetes" / "rbac.yaml"
Rule = Mapping[str, Sequence[str]]


def test_the_role_allows_to_list_and_watch_what_is_followed_and_nothing_else() -> None:
    documents = list(yaml.safe_load_all(EXAMPLE.read_text()))
    (role,) = (one for one in documents if one["kind"] == "Role")
    rules = cast("list[Rule]", role["rules"])
    allowed = {
        (group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    extended = (*objectives("x"), *rewrites("x"), *adapter_maps("x"))
    followed = (pods("x", ()), inference_pool("x", "y"), *extended)

    assert allowed == {(one.group, one.plural) for one in followed}
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}
