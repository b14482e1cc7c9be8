"""The operator endpoint of several workers: asks each of them, and answers for all.

Each worker has the pages of a host that is alone on a socket that only we reach; who may read
or change something is decided here.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from headrace.host.telemetry import surroundings as around
from headrace.host.telemetry.admin import Admin
from headrace.host.telemetry.readers import Readers, guarded
from headrace.host.telemetry.series import Levels, Told
from headrace.host.workers.merged import merged
from headrace.host.workers.worker import Worker

ANSWER_S = 3.0
ROLLBACK_S = 30.0
PAGE_BYTES_MAX = 64 << 20
TEXT = {"content-type": "text/plain; version=0.0.4; charset=utf-8"}
LISTED, LISTED_MAX = 64, 1000


class Away(Exception):
    """A worker does not answer."""


class Answer(msgspec.Struct, frozen=True):
    """What a worker answered."""

    status: int
    body: bytes
    content_type: str

    @property
    def json(self) -> Any:  # whatever the page is
        """The page; None if it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None

    def passed_on(self) -> web.Response:
        """Return it as our own answer."""
        return web.Response(
            status=self.status, body=self.body, headers={"content-type": self.content_type}
        )


class Pages:
    """Serves the endpoint, from `start` to `stop`."""

    def __init__(self, workers: Sequence[Worker], admin: Admin, readers: Readers) -> None:
        self._workers, self._admin = workers, admin
        self._answered: dict[int, bool] = {}
        self._registry = registry = CollectorRegistry()
        Levels(around.WORKER_UP, registry, lambda: [_series(w, self._up(w)) for w in workers])
        Told(around.WORKER_RESTARTS, registry, lambda: [_series(w, w.restarts) for w in workers])
        app = web.Application(client_max_size=1024, middlewares=[guarded(readers)])
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: the address cannot be had.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/metrics", self._metrics),
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/status", self._status),
            web.get("/policy", self._policy),
            web.get("/policies", self._first),
            web.post("/policy/rollback", self._rollback),
            web.post("/policy/reload", self._reload),
            web.get("/decisions", self._decisions),
            web.get("/decisions/last", self._last),
            web.get("/decisions/{id:.+}", self._decision),
            web.get("/workers/{index:[0-9]{1,3}}/{path:.+}", self._one),
        ]

    def _up(self, worker: Worker) -> bool:
        return bool(worker.pid) and self._answered.get(worker.index, False)

    async def _metrics(self, _: web.Request) -> web.Response:
        found = await self._all("/metrics")
        self._answered = {w.index: w in found for w in self._workers}
        pages = {w.index: a.body.decode("utf-8", "replace") for w, a in found.items()}
        own = generate_latest(self._registry).decode()
        # One family is told once: what a worker's page has of ours is a row without samples.
        return web.Response(body=merged(pages, own).encode(), headers=TEXT)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        """200 when all have been ready, and while one is: Envoy knows of each by itself."""
        found = await self._all("/readyz")
        began = all(worker.was_ready for worker in self._workers)
        count = sum(answer.status == 200 for answer in found.values())
        text = f"{count} of {len(self._workers)} workers are ready\n"
        return web.Response(status=200 if began and count else 503, text=text)

    async def _status(self, _: web.Request) -> web.Response:
        found = await self._all("/status")
        pages = {w: a.json for w, a in found.items()}
        rows = [
            {
                "worker": w.index,
                "pid": w.pid,
                "listen": w.order.listen,
                "restarts": w.restarts,
                "status": pages.get(w),
            }
            for w in self._workers
        ]
        ready = sum(bool(page and page.get("ready")) for page in pages.values())
        return _json({"ready": ready > 0, "workers_ready": ready, "workers": rows})

    async def _policy(self, _: web.Request) -> web.Response:
        """Return the page of the first that answers, and of all who serves what."""
        found = await self._all("/policy")
        pages = {w.index: a.json for w, a in sorted(found.items(), key=lambda one: one[0].index)}
        if not pages:
            return _away()
        rows = [
            {"worker": index, **{key: page.get(key) for key in ("digest", "generation", "valid")}}
            for index, page in pages.items()
        ]
        agreed = len({page.get("digest") for page in pages.values()}) == 1
        first = next(iter(pages.values()))
        return _json({**first, "workers_agree": agreed, "workers": rows})

    async def _first(self, request: web.Request) -> web.Response:
        for worker in self._workers:
            try:
                return (await self._ask(worker, "GET", request.path_qs)).passed_on()
            except Away:
                continue
        return _away()

    async def _rollback(self, request: web.Request) -> web.Response:
        """Let all go back, or none: each must keep the policy that is asked for."""
        refusal = self._admin.refuses(request)
        if refusal is not None:
            return refusal
        wanted = request.query.get("to", "")
        for worker in self._workers:
            try:
                kept: list[dict[str, Any]] = (
                    await self._ask(worker, "GET", "/policies")
                ).json or []
            except Away:
                return _refused(worker, "it does not answer")
            if not any(str(page["digest"]).startswith(wanted) for page in kept):
                what = f"no earlier policy `{wanted[:64]}`" if wanted else "no earlier policy"
                return _refused(worker, f"{what} is kept", 404)
        answers = await self._each("POST", request.path_qs, ROLLBACK_S)
        for worker, answer in answers.items():
            if answer.status != 200:
                text = answer.body.decode("utf-8", "replace").strip()
                return web.Response(status=answer.status, text=f"worker {worker.index}: {text}\n")
        if len(answers) < len(self._workers):
            missing = next(w for w in self._workers if w not in answers)
            return web.Response(
                status=502, text=f"worker {missing.index} did not answer; the others went back\n"
            )
        return answers[self._workers[0]].passed_on()

    async def _reload(self, request: web.Request) -> web.Response:
        refusal = self._admin.refuses(request)
        if refusal is not None:
            return refusal
        answers = await self._each("POST", "/policy/reload", ANSWER_S)
        text = f"{len(answers)} of {len(self._workers)} workers look at the policy's files\n"
        return web.Response(status=202 if answers else 503, text=text)

    async def _decisions(self, request: web.Request) -> web.Response:
        """Return the last of all workers, newest first; each says whose it is."""
        found = await self._all(request.path_qs)
        if not found:
            return _away()
        rows: list[dict[str, Any]] = []
        for worker, answer in found.items():
            if answer.status != 200:
                return answer.passed_on()
            rows += [{**row, "worker": worker.index} for row in answer.json or ()]
        rows.sort(key=lambda row: -row["time_s"])
        limit = int(request.query.get("limit", LISTED))
        return web.Response(body=msgspec.json.encode(rows[:limit]), content_type="application/json")

    async def _last(self, _: web.Request) -> web.Response:
        """Return the newest decision of all workers in words."""
        found = await self._all("/decisions?limit=64")
        newest = {
            worker: max((row["time_s"] for row in answer.json or () if row["chosen"]), default=0.0)
            for worker, answer in found.items()
        }
        if not newest:
            return _away()
        worker = max(newest, key=lambda one: newest[one])
        try:
            return (await self._ask(worker, "GET", "/decisions/last")).passed_on()
        except Away:
            return _away()

    async def _decision(self, request: web.Request) -> web.Response:
        """Return the story of an exchange from the worker that had it."""
        found = await self._all(request.path_qs)
        for answer in found.values():
            if answer.status == 200:
                return answer.passed_on()
        for answer in found.values():
            return answer.passed_on()
        return _away()

    async def _one(self, request: web.Request) -> web.Response:
        """Return a page of one worker as it is."""
        index, path = int(request.match_info["index"]), request.match_info["path"]
        for worker in self._workers:
            if worker.index == index:
                query = f"?{request.query_string}" if request.query_string else ""
                try:
                    return (await self._ask(worker, "GET", f"/{path}{query}")).passed_on()
                except Away:
                    return _away()
        text = f"no worker {index}; there are 1 to {len(self._workers)}\n"
        return web.Response(status=404, text=text)

    async def _all(self, path: str) -> dict[Worker, Answer]:
        return await self._each("GET", path, ANSWER_S)

    async def _each(self, method: str, path: str, wait_s: float) -> dict[Worker, Answer]:
        """Return what those answer that do."""
        asked = [self._ask(worker, method, path, wait_s) for worker in self._workers]
        found = await asyncio.gather(*asked, return_exceptions=True)
        answers: dict[Worker, Answer] = {}
        for worker, answer in zip(self._workers, found, strict=True):
            if isinstance(answer, Answer):
                answers[worker] = answer
            elif not isinstance(answer, Away):
                raise answer
        return answers

    async def _ask(
        self, worker: Worker, method: str, path: str, wait_s: float = ANSWER_S
    ) -> Answer:
        connector = aiohttp.UnixConnector(str(worker.order.operator_socket))
        timeout = aiohttp.ClientTimeout(total=wait_s)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request(method, f"http://worker{path}") as reply,
            ):
                body = await reply.content.read(PAGE_BYTES_MAX)
                while more := await reply.content.read(PAGE_BYTES_MAX - len(body)):
                    body += more
                kind = reply.headers.get("content-type", "text/plain")
                return Answer(reply.status, body, kind)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Away(str(error)) from error


def _series(worker: Worker, value: float) -> tuple[tuple[str, ...], float]:
    return (str(worker.index),), float(value)


def _refused(worker: Worker, why: str, status: int = 409) -> web.Response:
    text = f"worker {worker.index}: {why}; nothing has changed\n"
    return web.Response(status=status, text=text)


def _away() -> web.Response:
    return web.Response(status=503, text="no worker answers: they are being started\n")


def _json(value: object) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return web.Response(body=body + b"\n", content_type="application/json")
