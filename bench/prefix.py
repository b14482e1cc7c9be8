"""What cached prefixes cost: a pick with a long prompt, and the memory of what is remembered.

CPU of this process, medians. ``python -m bench.prefix``; with ``--blocks 10000000`` that many
different blocks are put into one index, and the process is weighed.
"""

import argparse
import json
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.call import Call, parse_call
from headrace.extensions.headers import Headers
from headrace.extensions.picker.observed import Observed
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import Prompt, prompt_of
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site, build
from headrace.extensions.stage import Continue, ExchangeInfo, Outcome, Request, Route
from headrace.host.sim.prose import Prose

PATH = "/v1/chat/completions"
ENDPOINTS = 64
SIZES = (8, ENDPOINTS, 256, 1024)
PROMPTS = 200
BLOCK_BYTES = 256
ROUNDS = 6  # of which the least disturbed counts; the first fills the index
NOW_S = 100.0
POLICY = "sched 1\npool p { endpoints %s }\nmodel m { route p }\n"
Row = tuple[str, float, str]


class Scene:
    """*size* endpoints, and prompts of which beginnings are cached.

    policy  of one pool, with `%s` for its endpoints; the built-in one, if it says no more
    """

    def __init__(self, size: int = ENDPOINTS, policy: str = POLICY) -> None:
        self.addresses = [f"10.0.{i // 250}.{i % 250 + 1}:8000" for i in range(size)]
        listed = ", ".join(f'"{address}"' for address in self.addresses)
        self.program = compile_policy([Source("bench.sched", policy.replace("%s", listed))])
        (self.pool,) = self.program.pools
        self.chance = random.Random(1)
        self.store = Store.for_program(self.program)
        self.picker = build("picker", self.program, Site(self.store, _nobody))
        c = self.chance
        for address in self.addresses:
            facts = ServerFacts(
                c.randrange(9), c.randrange(30), c.random(), block_size=16, num_blocks=31_250
            )
            self.store.scraped(self.pool, address, facts, NOW_S)
        self._prose = Prose()

    def body(self, messages: int, size: int) -> bytes:
        """Return a chat of so many *messages* and together about *size* bytes."""
        listed: list[dict[str, str]] = []
        for n in range(messages):
            seed = n if n < messages // 2 else self.chance.getrandbits(32)
            words = "".join(self._prose.continue_from(seed, size // messages // 4))
            listed.append({"role": "assistant" if n % 2 else "user", "content": words})
        return json.dumps({"model": "m", "messages": listed}).encode()

    def request(self, number: int, body: bytes, call: Call) -> Request:
        """Return the request with *body*."""
        headers = Headers(((":path", PATH), (":method", "POST")))
        return Request(f"r-{number}", headers, body, call, Route("m", self.pool, "m"))

    def requests(self) -> list[Request]:
        """Return chats of about 100 blocks, whose first halves are alike."""
        parsed = [_parsed(self.body(10, 90 * BLOCK_BYTES)) for _ in range(PROMPTS)]
        return [self.request(n, *each) for n, each in enumerate(parsed)]

    def pick(self, request: Request) -> float:
        """Pick for *request* and end it; return the seconds of the pick."""
        found = self.picker.open(ExchangeInfo(request.id, "main", request.headers, NOW_S))
        assert found is not None
        began_s = time.process_time()
        action = found.on_request(request, NOW_S + 0.1)
        took_s = time.process_time() - began_s
        assert isinstance(action, Continue), action
        found.on_end(Outcome(request, NOW_S, NOW_S + 1, 200, "complete"), NOW_S + 1)
        return took_s


def rows() -> Iterator[Row]:
    """Yield what picks with prompts cost."""
    for size in SIZES:
        scene = Scene(size)
        requests = scene.requests()
        prompts = [prompt_of(r.call, "m") for r in requests if isinstance(r.call, Call)]
        blocks = statistics.median(len(prompt.hashes) for prompt in prompts)
        rounds = [statistics.median(map(scene.pick, requests)) for _ in range(ROUNDS)]
        name = f"pick, {size} endpoints, {blocks:g} blocks"
        yield f"{name}, hashed to inserted", round(min(rounds) * 1e6, 1), "us"
        if size == ENDPOINTS:
            yield from _parts(scene, requests[0].call)
            yield "prompt of 100,000 tokens, parsed to inserted", _long(scene), "ms"


def _parts(scene: Scene, call: object) -> Iterator[Row]:
    """Yield the parts of it that are the index's."""
    assert isinstance(call, Call), call
    index, prompt = scene.store.prefixes[scene.pool], prompt_of(call, "m")
    address = scene.addresses[0]
    ticket = index.insert(address, prompt.hashes, prompt)
    parts: dict[str, Callable[[], object]] = {
        "hashed": lambda: prompt_of(call, "m"),
        "matched": lambda: index.match(prompt.hashes, prompt.turns),
        "inserted": lambda: index.insert(address, prompt.hashes, prompt),
        "settled": lambda: index.settle(ticket, prompt, Observed(6400, 6000, 200)),
    }
    for part, what in parts.items():
        yield f"  of that, {part}", _us(_timed(what) for _ in range(500)), "us"


def _long(scene: Scene) -> float:
    """Return milliseconds from the bytes of a prompt of 100,000 tokens to its reservation."""
    taken: list[float] = []
    for n in range(40):
        body = scene.body(8, 400_000)
        began_s = time.process_time()
        _, call = _parsed(body)
        took_s = time.process_time() - began_s
        taken.append(took_s + scene.pick(scene.request(n, body, call)))
    return round(statistics.median(taken) * 1e3, 2)


def memory(blocks: int) -> Iterator[Row]:
    """Yield what an index weighs that has seen so many different *blocks*."""
    index, prompts = PrefixIndex(), blocks // 100
    chance = random.Random(1)
    before = _peak_mib()
    began_s = time.process_time()
    for n in range(prompts):
        hashes = [chance.getrandbits(64) for _ in range(99)]
        prompt = Prompt(hashes, chance.getrandbits(64), 99 * BLOCK_BYTES)
        ticket = index.insert(f"10.0.0.{n % ENDPOINTS}:8000", hashes, prompt)
        index.settle(ticket, prompt, Observed(99 * 64, 0, 100))
    spent_s = time.process_time() - began_s
    name = f"{prompts * 100} different blocks"
    yield f"{name}, budget", round(index.bytes_max / 2**20, 1), "MiB"
    yield f"{name}, counted", round(index.bytes_used / 2**20, 1), "MiB"
    yield f"{name}, resident at the peak", round(_peak_mib() - before, 1), "MiB"
    yield f"{name}, kept", len(index), "blocks"
    yield f"{name}, inserted and settled", round(spent_s / prompts / 100 * 1e6, 2), "us a block"


def _parsed(body: bytes) -> tuple[bytes, Call]:
    call = parse_call(PATH, "application/json", body)
    assert isinstance(call, Call), call
    return body, call


def _timed(what: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    what()
    return time.perf_counter() - began_s


def _nobody(outcome: Outcome) -> None:
    """Report to nobody."""


def _us(seconds: "Iterator[float] | map[float]") -> float:
    return round(statistics.median(seconds) * 1e6, 1)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=0, help="weigh an index that saw so many")
    given = parser.parse_args()
    for name, value, unit in memory(given.blocks) if given.blocks else rows():
        print(f"{name:<56} {value:>12} {unit}")


if __name__ == "__main__":
    main()
