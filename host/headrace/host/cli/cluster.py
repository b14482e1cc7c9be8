"""Flags: which cluster of Kubernetes a host is joined to, and what it takes from there."""

from pathlib import Path
from typing import Annotated

from headrace.host.cli.flags import flag

_KUBERNETES, _POLICY = "Kubernetes", "Changing the policy"

Kube = Annotated[
    bool,
    flag(
        "--kube",
        "Take the endpoints of pools that say `inferencepool` or `select` from Kubernetes, and "
        "beside the policy its InferenceObjectives and InferenceModelRewrites. In a pod, by the "
        "pod's service account, which needs `examples/kubernetes/rbac.yaml`. Ready once every "
        "pool is known; while the API server is away, the last that it said goes on.",
        panel=_KUBERNETES,
    ),
]
Kubeconfig = Annotated[
    Path | None,
    flag(
        "--kubeconfig",
        "With --kube outside a cluster: the file that says which one, and who we are.",
        metavar="FILE",
        panel=_KUBERNETES,
    ),
]
Namespace = Annotated[
    str,
    flag(
        "--namespace",
        "With --kube: where pools are that name no namespace; without it, the pod's own or the "
        "kubeconfig's.",
        metavar="NAME",
        panel=_KUBERNETES,
    ),
]

PoliciesFrom = Annotated[
    str,
    flag(
        "--policies-from",
        "With --kube: take the policy from the ConfigMaps (keys that end in `.sched`) and "
        "SchedPolicies of the namespace that have these labels, beside the files named, if any. "
        "What became of it is written on them. Not ready before there is one that can serve.",
        metavar="LABEL=VALUE,...",
        panel=_POLICY,
    ),
]
