"""What a decision by costs takes: the policy of `policies/slo.sched`, with answers under way.

Everything its cost model can know is there: prompts that wait, answers that are written, and
speeds that were learnt, so that no term is short because it has nothing to add up. CPU of this
process, medians of the least disturbed round. ``python -m bench.costs``.
"""

import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bench.prefix import NOW_S, Scene
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.values import PickValues
from headrace.extensions.stage import Request

SIZES = (8, 64, 256, 1024)
POLICY = Path(__file__).parent.parent / "policies" / "slo.sched"
ROUNDS = 5
Row = tuple[str, float, str]


class Busy:
    """A pool of *size* endpoints, with four open requests each, most of them being answered."""

    def __init__(self, size: int) -> None:
        text, lines = re.subn(r'endpoints "[^\n]*', "endpoints %s", POLICY.read_text(), count=1)
        assert lines == 1, "the policy has one pool, of endpoints that it lists"
        self.scene = Scene(size, text)
        self.requests = self.scene.requests()
        self.now_s = NOW_S
        for number in range(4 * size):
            self._begin(number, answered=number < 3 * size)
        self.plans = Plans()

    def _begin(self, number: int, *, answered: bool) -> None:
        """Send a request to each in turn; let its answer begin, or leave it waiting for that."""
        scene, store = self.scene, self.scene.store
        address = scene.addresses[number % len(scene.addresses)]
        values = self._values(self.requests[number % len(self.requests)])
        self.now_s += 1e-4
        load = store.load(scene.pool, address, values.work)
        reservation = store.reserve(scene.pool, address, self.now_s, load)
        prompt = values.prompt
        store.prefixes[scene.pool].insert(address, prompt.hashes, prompt)
        if answered:
            store.first_token(reservation, self.now_s + 0.02)

    def _values(self, request: Request) -> PickValues:
        scene, route = self.scene, request.route
        assert route is not None, "a scene's requests have one"
        return PickValues(request, route, scene.store.prefixes[scene.pool])

    def decision(self, request: Request) -> float:
        """Return the seconds of a decision on *request*, whose prompt is hashed already."""
        scene, values = self.scene, self._values(request)
        assert values.hashes, "there is a prompt to look for"
        self.now_s += 1e-6
        snapshot, profiles = scene.store.snapshot, scene.program.profiles
        pool = snapshot.pools[scene.pool]
        question = Question(pool, values, profiles["default"], profiles, self.now_s)
        began_s = time.process_time()
        decision = decide(question, self.plans)
        took_s = time.process_time() - began_s
        assert decision.chosen is not None, "endpoints are ready"
        return took_s


def rows() -> Iterator[Row]:
    """Yield what decisions by costs take, by endpoints."""
    for size in SIZES:
        busy = Busy(size)
        rounds = [statistics.median(map(busy.decision, busy.requests)) for _ in range(ROUNDS)]
        yield f"decision by three costs, {size} endpoints", round(min(rounds) * 1e6, 1), "us"


def main() -> None:
    """Print the table."""
    for name, value, unit in rows():
        print(f"{name:<56} {value:>12} {unit}")


if __name__ == "__main__":
    main()
