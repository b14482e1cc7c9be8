"""What a thousand pods cost that come and go: `headrace serve --kube`, no request at all.

The API server is the double of the tests, in this process; the pods have addresses of the
loopback network, at one port that one server listens on, so that each is scraped. Only the
host is measured.
"""

import asyncio
import json
import random
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.objects import kubeconfig, pod, reached

from bench.processes import cpu_s, free_ports, process, python, rss_mib
from bench.upstream import Connection, page

POLICY = """\
sched 1
pool gemma { select app = "gemma"  port %d  metrics vllm }
pool one   { select app = "one"    port %d  metrics vllm }
model chatbot { route 50%% to gemma, 50%% to one }
scorer short_queue = 1.0 / (1.0 + double(endpoint.queue))
profile default { score 1 * short_queue  pick max }
"""
SETTLE_S, LOOK_S = 8.0, 10.0
Row = tuple[str, float, str]


def rows(pods: int = 1_000, events_s: float = 100.0) -> Generator[Row]:
    """Yield memory and CPU of the host: with its pods at rest, and while they come and go."""
    with tempfile.TemporaryDirectory() as folder, reached(Path(folder)) as (server, _):
        port, listen, metrics = free_ports(3)
        path = Path(folder) / "bench.sched"
        path.write_text(POLICY % (port, port))
        command = python(
            *("headrace.host.cli.main", "serve", str(path), "--listen", f"127.0.0.1:{listen}"),
            *("--metrics-listen", f"127.0.0.1:{metrics}", "--log-level", "error", "--kube"),
            *("--kubeconfig", str(kubeconfig(Path(folder), server))),
        )
        with _servers(port), process(command, listen) as pid:
            time.sleep(2.0)
            yield "memory, no pods", round(rss_mib(pid), 1), "MiB"
            for number in range(pods):
                server.shelf.put(PODS, _pod(number))
            time.sleep(SETTLE_S)
            yield f"memory, {pods} pods", round(rss_mib(pid), 1), "MiB"
            yield f"CPU, {pods} pods at rest", _share(pid, lambda: time.sleep(LOOK_S)), _OF
            word = f"{pods} pods, {events_s:g} events/s"
            yield f"CPU, {word}", _share(pid, lambda: _churn(server, pods, events_s)), _OF
            yield f"memory, {word}", round(rss_mib(pid), 1), "MiB"
            churning = threading.Thread(target=_churn, args=(server, pods, events_s))
            churning.start()
            late_ms = [_left_ms(server, metrics) for _ in range(20)]
            churning.join()
            yield f"an unready pod is left after, at most, {word}", round(max(late_ms)), "ms"


_OF = "% of a core"


def _pod(number: int, *, ready: bool = True) -> dict[str, object]:
    return pod(f"pod-{number}", f"127.1.{number >> 8}.{number & 255}", ready=ready)


def _share(pid: int, meanwhile: Callable[[], None]) -> float:
    before_s, began_s = cpu_s(pid), time.monotonic()
    meanwhile()
    return round((cpu_s(pid) - before_s) / (time.monotonic() - began_s) * 100, 1)


def _left_ms(server: ApiServer, metrics: int) -> float:
    """Return how long the host goes on with the only pod of its pool that turns unready."""
    server.shelf.put(PODS, pod("one", "127.2.0.1", app="one"))
    while not _size(metrics):
        time.sleep(0.01)
    server.shelf.put(PODS, pod("one", "127.2.0.1", app="one", ready=False))
    began_s = time.monotonic()
    while _size(metrics):
        time.sleep(0.001)
    return (time.monotonic() - began_s) * 1e3


def _size(metrics: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/status", timeout=5) as reply:
        return int(json.loads(reply.read())["pools"]["one"]["endpoints"])


def _churn(server: ApiServer, pods: int, events_s: float) -> None:
    """Let pods turn unready and ready again, or go and come, for `LOOK_S`."""
    chance, began_s, away = random.Random(1), time.monotonic(), dict[int, bool]()
    for event in range(int(LOOK_S * events_s)):
        number = next(iter(away)) if len(away) > 50 else chance.randrange(pods)
        if number in away:
            del away[number]
            server.shelf.put(PODS, _pod(number))
        elif chance.random() < 0.5:
            away[number] = True
            server.shelf.put(PODS, _pod(number, ready=False))
        else:
            away[number] = True
            server.shelf.delete(PODS, f"pod-{number}")
        time.sleep(max(0.0, began_s + (event + 1) / events_s - time.monotonic()))
    for number in away:
        server.shelf.put(PODS, _pod(number))


@contextmanager
def _servers(port: int) -> Generator[None]:
    """Serve a page of metrics at *port* of every address of this machine."""
    loop = asyncio.new_event_loop()

    async def listen() -> None:
        metrics = page()
        await loop.create_server(lambda: Connection(metrics, 0.0, 1), "0.0.0.0", port)

    loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
