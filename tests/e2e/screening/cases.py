"""The cases of the matrix: what is sent which way, in what pieces, and what must come of it."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from tests.e2e.screening.apis import APIS, Api, Json

SECRET = "0451-ALPHA"
BEFORE = "Every morning the crew looks at the tide. The launch code is "
AFTER = ", keep it. At noon they row home, and nobody asks why they were out there for so long."
PROSE = f"{BEFORE}{SECRET}{AFTER}"
ARGUMENTS = json.dumps({"note": PROSE})
PIECE_CHARS = 11  # so that the secret lies in two events

ACTIONS = ("block", "redact", "log")
WAYS = ("prompt", "response")
PLANS = {"1 byte": 1, "3 bytes": 3, "whole": 1 << 20}
POLICY_HEAD = """\
sched 1
pool gemma {
  endpoints "$0"
  metrics vllm
  stale after 60s
}
model chatbot { route 100% to gemma }
chain default { body_router  safety  picker  observability }
guard masks when request.header("x-act") == "prompt-mask" {
  patterns "0451-ALPHA"
  inspect prompt
  on match mask
}
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the matrix."""

    api: Api = field(repr=False)
    way: str
    action: str
    stream: bool
    tool: bool
    zipped: bool
    plan: str

    @property
    def id(self) -> str:
        parts = [self.api.name, self.way, self.action, self.plan]
        flags = {"stream": self.stream, "tool": self.tool, "gzip": self.zipped}
        return " ".join([*parts, *(name for name, is_set in flags.items() if is_set)])

    @property
    def text(self) -> str:
        """What is said, the secret in it."""
        return ARGUMENTS if self.tool else PROSE

    def request(self) -> Json:
        """Return the request; only a screened prompt has the secret."""
        said = self.text if self.way == "prompt" else self.text.replace(SECRET, "nothing")
        return {"model": "chatbot", "stream": self.stream, **self.api.ask(said, self.tool)}

    def response(self) -> bytes:
        """Return the body of the response, not zipped; only a screened one has the secret."""
        said = self.text if self.way == "response" else self.text.replace(SECRET, "nothing")
        if self.stream:
            return b"".join(self.api.events(cut(said), self.tool))
        return json.dumps(self.api.answer(said, self.tool)).encode()

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """Yield *body* as the plan cuts it, zipped if it is to be."""
        data = gzip.compress(body) if self.zipped else body
        size = PLANS[self.plan]
        for at in range(0, len(data), size):
            yield data[at : at + size]


def cut(text: str) -> Sequence[str]:
    """Return *text* as a server streams it."""
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]


def policy() -> str:
    """Return a policy with one guard for each way and action; a header says which one acts."""
    return POLICY_HEAD + "".join(
        f'guard {way}_{action} when request.header("x-act") == "{way}-{action}" {{\n'
        f'  patterns "{SECRET}"\n  inspect {way}\n  on match {action}\n}}\n'
        for way, action in product(WAYS, ACTIONS)
    )


def cases(api: Api, way: str) -> list[Case]:
    """Return the cells of *api* and *way*."""
    tools = (False, True) if api.tools else (False,)
    cells = product(ACTIONS, (False, True), tools, (False, True), PLANS)
    return [Case(api, way, *cell) for cell in cells]


def mask_cases(api: Api) -> list[Case]:
    """Return the cells of *api* in which the model sees a placeholder and says it back."""
    tools = (False, True) if api.tools else (False,)
    cells = product((False, True), tools, (False, True), PLANS)
    return [Case(api, "prompt", "mask", *cell) for cell in cells]


GROUPS = tuple(product(APIS, WAYS))
