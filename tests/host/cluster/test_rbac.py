"""What the example allows is what is asked for, and no more."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import yaml

from headrace.host.cluster.lease import lease
from headrace.host.cluster.pieces import sched_policies
from headrace.host.cluster.resource import (
    adapter_maps,
    inference_pool,
    objectives,
    pods,
    rewrites,
)

EXAMPLES = Path(__file__).parents[3] / "examples" / "kubernetes"
Rule = Mapping[str, Sequence[str]]


def rules_of(name: str) -> list[Rule]:
    """Return the rules of the one Role in the example *name*."""
    documents = list(yaml.safe_load_all((EXAMPLES / name).read_text()))
    (role,) = (one for one in documents if one["kind"] == "Role")
    return cast("list[Rule]", role["rules"])


def test_the_role_allows_to_list_and_watch_what_is_followed_and_nothing_else() -> None:
    rules = rules_of("rbac.yaml")
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


def test_who_takes_policies_from_there_may_read_them_and_write_what_became_of_them() -> None:
    allowed = {
        (group, resource): set(rule["verbs"])
        for rule in rules_of("policies.yaml")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    policies, elected = sched_policies("x", ()), lease("x", "y")

    assert allowed == {
        (policies.group, policies.plural): {"list", "watch"},
        (policies.group, f"{policies.plural}/status"): {"get", "patch"},
        ("", "events"): {"create"},
        (elected.group, elected.plural): {"get", "create", "patch"},
    }
