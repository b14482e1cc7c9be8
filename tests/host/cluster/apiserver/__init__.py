"""A double of the Kubernetes API server, on real sockets, for whoever watches it.

It keeps what the real one keeps where a watcher can tell the difference: one revision for all
objects, a history that is compacted, pages of one snapshot, selectors that turn a change into a
deletion. What goes wrong with real ones can be ordered, once or for as long as a test likes.
"""

from tests.host.cluster.apiserver.server import ApiServer, serving
from tests.host.cluster.apiserver.shelf import EVENTS, LEASES, PODS, Conflict, Kind, Shelf

__all__ = ["EVENTS", "LEASES", "PODS", "ApiServer", "Conflict", "Kind", "Shelf", "serving"]
