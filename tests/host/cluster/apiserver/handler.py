"""One connection of the double: lists in pages, watches in chunks, and whatever goes wrong."""

import json
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.host.cluster.apiserver.faults import Fault, Kept, Wrong
from tests.host.cluster.apiserver.shelf import (
    EVENTS,
    LEASES,
    Conflict,
    Gone,
    Json,
    Kind,
    Match,
    merged,
    selecting,
)

if TYPE_CHECKING:
    from tests.host.cluster.apiserver.server import ApiServer

TICK_S = 0.02
HANG_S_MAX = 60.0
BODY_BYTES_MAX = 1 << 20


class Http(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], double: "ApiServer") -> None:
        self.double = double
        self.alive = True
        self.watching: set[_Handler] = set()
        self.sockets: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        made, address = super().get_request()
        self.sockets.add(made)
        return made, address

    def shutdown_request(self, request: Any) -> None:
        self.sockets.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        self.alive = False
        with self.double.shelf.changed:
            self.double.shelf.changed.notify_all()
        for one in list(self.sockets):
            reset(one)

    def cut(self, piece: bytes) -> None:
        for one in list(self.watching):
            one.cut_with = piece
        with self.double.shelf.changed:
            self.double.shelf.changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients leave, and the double hangs up."""


def reset(one: socket.socket) -> None:
    """Reset the connection: what is on its way is lost."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        one.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cut_with: bytes | None = None

    @property
    def http(self) -> Http:
        assert isinstance(self.server, Http)
        return self.server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        double = self.http.double
        double.seen.append(f"GET {self.path}")
        asked = urlsplit(self.path)
        query = dict(parse_qsl(asked.query, keep_blank_values=True))
        kind, namespace, name, _ = _resource(asked.path)
        verb = "watch" if query.get("watch") in ("true", "1") else "list"
        self._wait_while_silent()
        fault = double.ordered(verb, kind.plural)
        if self._refused(kind, fault):
            return
        if name:
            found = double.shelf.get(self._installed(kind), name, namespace)
            self._answer(200 if found else 404, found or status(404, "NotFound", name))
        elif verb == "list":
            self._list(self._installed(kind), namespace, query)
        else:
            self._watch(self._installed(kind), namespace, query, fault)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        double = self.http.double
        double.seen.append(f"POST {path}")
        self._wait_while_silent()
        given = json.loads(
            self.rfile.read(min(int(self.headers["content-length"]), BODY_BYTES_MAX))
        )
        fault = double.ordered("create", path.rpartition("/")[2])
        if fault is not None:
            self._answer(fault.code, status(fault.code, fault.reason, "ordered"), fault.headers)
        elif not double.knows(self.headers.get("authorization", "")):
            self._answer(401, status(401, "Unauthorized", "Unauthorized"))
        elif path == "/apis/authentication.k8s.io/v1/tokenreviews":
            user = double.users.get(given["spec"]["token"])
            said = {"authenticated": True, "user": user} if user else {"error": "unknown"}
            self._answer(201, given | {"status": said})
        elif path == "/apis/authorization.k8s.io/v1/subjectaccessreviews":
            asked = given["spec"]["nonResourceAttributes"]
            may = (asked["verb"], asked["path"]) in double.may.get(given["spec"]["user"], ())
            self._answer(201, given | {"status": {"allowed": may}})
        elif path.endswith(("/events", "/leases")):
            self._create(EVENTS if path.endswith("/events") else LEASES, path, given)
        else:
            self._send(404, b"404 page not found\n", "text/plain; charset=utf-8")

    def _create(self, kind: Kind, path: str, given: Json) -> None:
        shelf, (_, namespace, _, _) = self.http.double.shelf, _resource(path)
        name = given["metadata"]["name"]
        if given["metadata"].get("namespace") != namespace:
            self._answer(400, status(400, "BadRequest", "the namespace does not match"))
        elif shelf.get(kind, name, namespace) is not None:
            self._answer(409, status(409, "AlreadyExists", f'{kind.plural} "{name}" exists'))
        else:
            self._answer(201, shelf.put(kind, given))

    def do_PATCH(self) -> None:
        path = urlsplit(self.path).path
        double, (kind, namespace, name, below) = self.http.double, _resource(path)
        double.seen.append(f"PATCH {path}")
        self._wait_while_silent()
        length = min(int(self.headers.get("content-length", "0")), BODY_BYTES_MAX)
        given = json.loads(self.rfile.read(length))
        if self._refused(kind, double.ordered("patch", kind.plural)):
            return
        known = self._installed(kind)
        found = double.shelf.get(known, name, namespace)
        if self.headers.get("content-type") != "application/merge-patch+json":
            self._answer(415, status(415, "UnsupportedMediaType", "no merge patch"))
        elif found is None:
            self._answer(404, status(404, "NotFound", name))
        else:
            try:
                made = double.shelf.put(known, merged(found, given), status=below == "status")
            except Conflict as error:
                self._answer(409, status(409, "Conflict", str(error)))
            else:
                self._answer(200, made)

    def do_PUT(self) -> None:
        kind, _, _, below = _resource(urlsplit(self.path).path)
        if self._refused(kind, None):
            return
        length = min(int(self.headers.get("content-length", "0")), BODY_BYTES_MAX)
        given = json.loads(self.rfile.read(length))
        try:
            shelf, known = self.http.double.shelf, self._installed(kind)
            made = shelf.put(known, given, status=below == "status")
        except Conflict as error:
            self._answer(409, status(409, "Conflict", str(error)))
        else:
            self._answer(200, made)

    def _installed(self, kind: Kind) -> Kind:
        known = self.http.double.shelf.installed
        return next(k for k in known if (k.group, k.plural) == (kind.group, kind.plural))

    def _wait_while_silent(self) -> None:
        until_s = time.monotonic() + HANG_S_MAX
        while self.http.double.silent and self.http.alive and time.monotonic() < until_s:
            time.sleep(TICK_S)

    def _refused(self, kind: Kind, fault: Fault | None) -> bool:
        """Answer what is not to be answered well; return whether it was."""
        double, wrong = self.http.double, fault.wrong if fault else None
        said = self.headers.get("authorization", "")
        known = {(k.group, k.version, k.plural) for k in double.shelf.installed}
        if wrong is Wrong.RESET:
            reset(self.connection)
            raise ConnectionResetError
        if wrong is Wrong.STATUS and fault is not None:
            self._answer(fault.code, status(fault.code, fault.reason, "ordered"), fault.headers)
        elif not double.knows(said):
            self._answer(401, status(401, "Unauthorized", "Unauthorized"))
        elif (kind.group, kind.version, kind.plural) not in known:
            self._send(404, b"404 page not found\n", "text/plain; charset=utf-8")
        else:
            return False
        return True

    def _list(self, kind: Kind, namespace: str, query: dict[str, str]) -> None:
        double = self.http.double
        try:
            if token := query.get("continue"):
                revision, found = double.page(token)
            else:
                listed, revision = double.shelf.listed(kind, namespace, _selector(query))
                found = list(listed)
        except Gone as error:
            self._answer(410, status(410, "Expired", str(error)))
            return
        limit = min(int(query.get("limit") or double.page_max), double.page_max)
        meta: Json = {"resourceVersion": str(revision)}
        if len(found) > limit:
            meta["continue"] = double.begin_page(revision, found[limit:])
            meta["remainingItemCount"] = len(found) - limit
        page = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta}
        self._answer(200, page | {"items": found[:limit]})

    def _watch(
        self, kind: Kind, namespace: str, query: dict[str, str], fault: Fault | None
    ) -> None:
        double, matches = self.http.double, _selector(query)
        asked = query.get("resourceVersion", "")
        shelf, lines = double.shelf, [Kept(b"")]
        if asked in ("", "0"):
            listed, revision = shelf.listed(kind, namespace, matches)
            lines = [Kept.of({"type": "ADDED", "object": one}) for one in listed]
        else:
            revision = int(asked)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for line in lines:
            self._chunk(line.octets)
        self.http.watching.add(self)
        try:
            self._events(kind, namespace, matches, revision, Deadlines.of(query, double), fault)
        finally:
            self.http.watching.discard(self)
            self.cut_with = None

    def _events(
        self,
        kind: Kind,
        namespace: str,
        matches: Match,
        revision: int,
        times: "Deadlines",
        fault: Fault | None,
    ) -> None:
        shelf, http = self.http.double.shelf, self.http
        if fault is not None and fault.wrong is Wrong.EVENT:
            self._end(Kept.of({"type": "ERROR", "object": fault.status}).octets)
            return
        while http.alive:
            with shelf.changed:
                if shelf.revision <= revision:
                    shelf.changed.wait(TICK_S)
            if self.cut_with is not None:
                self._break(self.cut_with)
            self._wait_while_silent()
            try:
                changes, revision = shelf.since(revision, kind, namespace)
            except Gone as error:
                said = status(410, "Expired", str(error))
                self._end(Kept.of({"type": "ERROR", "object": said}).octets)
                return
            for change in changes:
                event = change.event(matches)
                if event is not None:
                    self._event(event, fault)
            if times.bookmark_due():
                self._chunk(Kept.of(bookmark(kind, revision)).octets)
            if times.over():
                self._end(b"")
                return

    def _event(self, event: Json, fault: Fault | None) -> None:
        line = Kept.of(event).octets
        if fault is not None and fault.wrong is Wrong.MID_LINE:
            self._break(line[: len(line) // 2])
        if fault is not None and fault.wrong is Wrong.SPLIT:  # a chunk may end anywhere
            self._chunk(line[: len(line) // 2])
            time.sleep(TICK_S)
            line = line[len(line) // 2 :]
        self._chunk(line)

    def _chunk(self, octets: bytes) -> None:
        if octets:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(octets), octets))
            self.wfile.flush()

    def _end(self, last: bytes) -> None:
        self._chunk(last)
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _break(self, piece: bytes) -> None:
        """Send *piece*, and hang up without an end."""
        self._chunk(piece)
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    def _answer(self, code: int, body: Json, headers: dict[str, str] | None = None) -> None:
        self._send(code, json.dumps(body).encode(), "application/json", headers)

    def _send(
        self, code: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(code)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@dataclass(slots=True)
class Deadlines:
    """When a watch gets its next bookmark, and when it ends."""

    end_s: float
    every_s: float
    next_s: float

    @classmethod
    def of(cls, query: dict[str, str], double: "ApiServer") -> "Deadlines":
        """Return those that *query* asks for."""
        now_s = time.monotonic()
        wanted = query.get("allowWatchBookmarks") in ("true", "1")
        every_s = double.bookmark_s if wanted else float("inf")
        return cls(now_s + float(query.get("timeoutSeconds") or 1800), every_s, now_s + every_s)

    def bookmark_due(self) -> bool:
        """Return whether it is time for a bookmark, once."""
        if time.monotonic() < self.next_s:
            return False
        self.next_s = time.monotonic() + self.every_s
        return True

    def over(self) -> bool:
        """Return whether the server ends the watch now."""
        return time.monotonic() >= self.end_s


def status(code: int, reason: str, message: str) -> Json:
    """Return the `Status` by which the API server tells an error."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def bookmark(kind: Kind, revision: int) -> Json:
    """Return a bookmark, which has a version and no name."""
    meta = {"resourceVersion": str(revision), "creationTimestamp": None}
    object_ = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
    return {"type": "BOOKMARK", "object": object_}


def _selector(query: dict[str, str]) -> Match:
    return selecting(_pairs(query.get("labelSelector", "")), _pairs(query.get("fieldSelector", "")))


def _pairs(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if part)


def _resource(path: str) -> tuple[Kind, str, str, str]:
    """Return kind, namespace, name and what is below of a path."""
    parts = path.strip("/").split("/")
    group = "" if parts[0] == "api" else parts[1]
    version, *rest = parts[1:] if parts[0] == "api" else parts[2:]
    assert rest[0] == "namespaces", "nobody asks for a whole cluster"
    namespace, plural, *below = rest[1:]
    name, below_name = (*below, "", "")[:2]
    return Kind(group, version, plural, plural), namespace, name, below_name
