"""The wire to an API server: credentials by the library `kubernetes`, requests by urllib3.

The library's own calls are not used: they read an object's every field into classes, where
a few are wanted, and they hide how a watch ended.
"""

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, cast
from urllib.parse import urlencode

import urllib3
from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import incluster_config
from urllib3.exceptions import HTTPError, ReadTimeoutError

from headrace.host.cluster.objects import Fault, read_fault

CONNECT_S = 5.0
LIST_S = 30.0  # between two pieces of a list
WRITE_S = 5.0  # until it is known what became of an object that was sent
GOOD = (200, 201)
# Of a watch, which then is opened anew: a quiet one cannot be told from one whose server is gone.
# Bookmarks come every minute as a rule, but nobody promises them.
SILENT_S = 75.0
WATCHES_MAX = 256  # connections kept; more of them work, too
PAGE_BYTES_MAX = 256 << 20
ERROR_BYTES_MAX = 64 << 10
OBJECT_BYTES_MAX = 4 << 20  # as it comes back when it was written
JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"
PIECE_BYTES = 64 << 10
LINE_BYTES_MAX = 8 << 20  # an object has 1.5 MiB in etcd, and is larger in JSON
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # of the pod, mounted there

_LIBRARY: Any = config  # Any: it has no types
_IN_CLUSTER: Any = incluster_config  # Any: neither has this
log = logging.getLogger(__name__)


class CannotConnect(Exception):
    """There are no credentials for a cluster. The message says why, and the cure."""


class Failed(Exception):
    """A request came to nothing: *fault*."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


@dataclass(frozen=True, slots=True)
class Access:
    """Where credentials are: in *kubeconfig*, or those of a pod if that is None.

    namespace  what counts as the host's own; empty: the pod's, or the kubeconfig's
    silent_s   how long a watch may say nothing before it is opened anew
    account    where the pod's are: `token`, `ca.crt`, `namespace`
    """

    kubeconfig: Path | None = None
    namespace: str = ""
    silent_s: float = SILENT_S
    account: Path = ACCOUNT


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request brings: *body*, of the type *kind*."""

    method: str
    body: bytes = field(repr=False)
    kind: str = JSON


class Api:
    """Asks one API server. Used from many threads.

    namespace  the host's own
    """

    def __init__(self, access: Access) -> None:
        """Read the credentials; nothing is asked yet.

        Raises:
            CannotConnect: there are none, or they cannot be read.
        """
        self._access = access
        self._lock = Lock()
        self._session = _session(access)
        self.namespace = access.namespace or _namespace(access)

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return self._session.host

    def renew(self) -> None:
        """Read the credentials anew, as they were refused.

        Raises:
            Failed: they cannot be read.
        """
        with self._lock:
            try:
                old, self._session = self._session, _session(self._access)
            except CannotConnect as error:
                raise Failed(Fault(0, str(error))) from error
            old.pool.clear()

    def get(self, path: str, query: tuple[tuple[str, str], ...], read_s: float = LIST_S) -> bytes:
        """Return the whole answer; *read_s* is how long it may pause.

        Raises:
            Failed: there is none, or it is an error.
        """
        with self._opened(path, query, read_s) as answer:
            return _read(answer, PAGE_BYTES_MAX)

    def post(self, path: str, body: bytes) -> bytes:
        """Create what *body*, an object in JSON, asks for; return the whole answer.

        Raises:
            Failed: there is none, or it is an error.
        """
        with self._opened(path, (), WRITE_S, Sent("POST", body)) as answer:
            return _read(answer, OBJECT_BYTES_MAX)

    def patch(self, path: str, body: bytes) -> bytes:
        """Merge *body*, in JSON, into an object; return the whole answer.

        Raises:
            Failed: there is none, or it is an error: 409 if *body* is of another version.
        """
        with self._opened(path, (), WRITE_S, Sent("PATCH", body, MERGE_PATCH)) as answer:
            return _read(answer, OBJECT_BYTES_MAX)

    @contextmanager
    def watch(self, path: str, query: tuple[tuple[str, str], ...]) -> Generator["Lines"]:
        """Open a watch, and yield what it says.

        Raises:
            Failed: it does not begin, or breaks off.
        """
        with self._opened(path, query, self._access.silent_s) as answer:
            yield Lines(answer)

    @contextmanager
    def _opened(
        self, path: str, query: tuple[tuple[str, str], ...], read_s: float, sent: Sent | None = None
    ) -> Generator[urllib3.BaseHTTPResponse]:
        answer: urllib3.BaseHTTPResponse | None = None
        try:
            answer = self._request(f"{path}?{urlencode(query)}", read_s, sent)
            if answer.status not in GOOD:
                said = answer.headers.get("retry-after", "")
                raise Failed(read_fault(answer.status, _read(answer, ERROR_BYTES_MAX), said))
            yield answer
        except (HTTPError, OSError) as error:
            raise Failed(Fault(0, _why(error), absent=answer is None)) from error
        finally:
            if answer is not None:
                answer.close()

    def _request(self, target: str, read_s: float, sent: Sent | None) -> urllib3.BaseHTTPResponse:
        session = self._session
        headers = {"accept": "application/json", "user-agent": "headrace"}
        credentials = session.credentials()
        if credentials:
            headers["authorization"] = credentials
        if sent is not None:
            headers["content-type"] = sent.kind
        return session.pool.request(
            sent.method if sent is not None else "GET",
            f"{session.host}{target}",
            body=sent.body if sent is not None else None,
            headers=headers,
            preload_content=False,
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
        )


class Lines:
    """What one watch says, as it comes. `stop` may be called from another thread."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield whole lines, all that have come at once, until a silence or the end.

        What has no end is dropped.
        """
        kept = bytearray()
        for piece in self._pieces():
            kept += piece
            *lines, rest = bytes(kept).split(b"\n")
            if len(rest) > LINE_BYTES_MAX:
                raise Failed(Fault(0, f"an event of more than {LINE_BYTES_MAX} bytes"))
            kept = bytearray(rest)
            yield [line for line in lines if line]

    def _pieces(self) -> Iterator[bytes]:
        try:
            yield from self._answer.stream(PIECE_BYTES, decode_content=False)
        except ReadTimeoutError:
            log.debug("cluster: a watch that says nothing is opened anew")

    def stop(self) -> None:
        """End the reading."""
        try:
            self._answer.shutdown()
        except (OSError, ValueError, RuntimeError) as error:  # it has ended by itself
            log.debug("cluster: a watch that had ended: %s", error)


def _read(answer: urllib3.BaseHTTPResponse, bytes_max: int) -> bytes:
    found = bytearray()
    for piece in answer.stream(PIECE_BYTES, decode_content=False):
        found += piece
        if len(found) > bytes_max:
            raise Failed(Fault(0, f"an answer of more than {bytes_max} bytes"))
    return bytes(found)


@dataclass(frozen=True, slots=True)
class _Session:
    """Where an API server is, and how one shows who one is. *pool* has the certificates."""

    configuration: Configuration
    pool: urllib3.PoolManager

    @property
    def host(self) -> str:
        return str(cast(Any, self.configuration).host)  # Any: a property without a type

    def credentials(self) -> str:
        """Return the value of the header `authorization`; "" for none.

        Raises:
            Failed: whoever provides them did not.
        """
        found: str | None
        try:
            known = cast(Any, self.configuration)  # Any: half of its types are missing
            found = known.get_api_key_with_prefix("BearerToken", "authorization")
            if not found and known.username:
                found = known.get_basic_auth_token()
        except Exception as error:  # a provider may be anybody's program
            raise Failed(Fault(0, f"no credentials: {_why(error)}")) from error
        return (found or "").strip()  # a file of a token may end with a line


def _session(access: Access) -> _Session:
    configuration = Configuration()
    cast(Any, configuration).connection_pool_maxsize = WATCHES_MAX  # Any: it has no type
    try:
        if access.kubeconfig is None:
            token, authority = access.account / "token", access.account / "ca.crt"
            loader = _IN_CLUSTER.InClusterConfigLoader(str(token), str(authority))
            loader.load_and_set(configuration)
        else:
            _LIBRARY.load_kube_config(
                config_file=str(access.kubeconfig),
                client_configuration=configuration,
                persist_config=False,
            )
        pool = RESTClientObject(configuration).pool_manager
    except Exception as error:  # a file of any content is parsed in there
        raise CannotConnect(_cure(access, error)) from error
    return _Session(configuration, pool)


def _cure(access: Access, error: Exception) -> str:
    if access.kubeconfig is None:
        return (
            f"no credentials of a pod: {_why(error)}; outside a cluster, name a file by "
            "`--kubeconfig`"
        )
    return f"`{access.kubeconfig}` cannot be used: {_why(error)}"


def _namespace(access: Access) -> str:
    if access.kubeconfig is None:
        try:
            return (access.account / "namespace").read_text().strip() or "default"
        except OSError:
            return "default"
    _, active = _LIBRARY.list_kube_config_contexts(str(access.kubeconfig))
    context = cast("dict[str, str]", active["context"])
    return context.get("namespace") or "default"


def _why(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
