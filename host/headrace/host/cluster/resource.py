"""What is watched: the objects of one kind in one namespace, and which of them."""

from dataclasses import dataclass

POOL_GROUP = "inference.networking.k8s.io"
# Where objectives and rewrites are: since they moved with the endpoint picker, and before.
EXTENSION_GROUPS = ("llm-d.ai", "inference.networking.x-k8s.io")
OBJECTS_MAX = 50_000  # of one resource; a cluster of Kubernetes has 150,000 pods at most


# Of ConfigMaps that say what adapters are of: llm-d's label, and the one before.
ADAPTER_LABELS = ("inference.llm-d.ai/ipp-managed", "inference.networking.k8s.io/bbr-managed")


@dataclass(frozen=True, slots=True)
class Resource:
    """The objects of one kind in *namespace*.

    plural  as it stands in a path, such as ``pods``
    name    the only one of this name; empty for all
    labels  only those that have them all
    most    how many are kept
    """

    group: str
    version: str
    plural: str
    namespace: str
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    most: int = OBJECTS_MAX

    @property
    def path(self) -> str:
        """Where a list of them is."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{self.namespace}/{self.plural}"

    @property
    def selectors(self) -> tuple[tuple[str, str], ...]:
        """The parameters that choose among them."""
        found: list[tuple[str, str]] = []
        if self.name:
            found.append(("fieldSelector", f"metadata.name={self.name}"))
        if self.labels:
            found.append(
                ("labelSelector", ",".join(f"{key}={value}" for key, value in self.labels))
            )
        return tuple(found)

    def __str__(self) -> str:
        full = f"{self.plural}.{self.group}" if self.group else self.plural
        which = self.name or ",".join(f"{key}={value}" for key, value in self.labels)
        return f"{full} {self.namespace}/{which or '*'}"


def pods(namespace: str, labels: tuple[tuple[str, str], ...]) -> Resource:
    """Return the pods that have *labels*."""
    return Resource("", "v1", "pods", namespace, labels=tuple(sorted(labels)))


def inference_pool(namespace: str, name: str) -> Resource:
    """Return the InferencePool *name*."""
    return Resource(POOL_GROUP, "v1", "inferencepools", namespace, name)


def objectives(namespace: str) -> tuple[Resource, ...]:
    """Return the InferenceObjectives, of both groups."""
    return tuple(
        Resource(group, "v1alpha2", "inferenceobjectives", namespace) for group in EXTENSION_GROUPS
    )


def rewrites(namespace: str) -> tuple[Resource, ...]:
    """Return the InferenceModelRewrites, of both groups."""
    return tuple(
        Resource(group, "v1alpha2", "inferencemodelrewrites", namespace)
        for group in EXTENSION_GROUPS
    )


def adapter_maps(namespace: str) -> tuple[Resource, ...]:
    """Return the ConfigMaps that say what adapters are of, of both labels."""
    return tuple(
        Resource("", "v1", "configmaps", namespace, labels=((label, "true"),))
        for label in ADAPTER_LABELS
    )
