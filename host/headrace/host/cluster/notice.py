"""What is told of an object that has no status of ours: an Event of Kubernetes. Pure.

Source: Kubernetes, core `v1` Event.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from headrace.host.cluster.condition import REASON
from headrace.host.cluster.resource import Resource

COMPONENT = "headrace"
MESSAGE_CHARS_MAX = 1024  # what the API server takes
NAME_CHARS_MAX = 200  # of 253, with what makes it unique


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event about one object, by a resource with its name.

    kind     of the object, such as ``ConfigMap``
    warning  whether somebody has to do something
    version  of the object that it is about; what is told of one is told of it once
    """

    object: Resource
    kind: str
    uid: str
    reason: str
    message: str
    warning: bool = True
    version: str = ""

    def __post_init__(self) -> None:
        assert REASON.fullmatch(self.reason), f"`{self.reason}` is no reason in CamelCase"


def event_of(notice: Notice, now: str) -> dict[str, Any]:
    """Return the Event to create. *now* is in RFC 3339.

    Its name follows from what it says: two replicas that tell the same write one.
    """
    about = notice.object
    group = f"{about.group}/{about.version}" if about.group else about.version
    text = f"{notice.uid} {notice.version} {notice.reason} {notice.message}"
    unique = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{about.name[:NAME_CHARS_MAX]}.{unique}",
            "namespace": about.namespace,
        },
        "involvedObject": {
            "apiVersion": group,
            "kind": notice.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": notice.uid,
            "resourceVersion": notice.version,
        },
        "type": "Warning" if notice.warning else "Normal",
        "reason": notice.reason,
        "message": notice.message[:MESSAGE_CHARS_MAX],
        "source": {"component": COMPONENT},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
