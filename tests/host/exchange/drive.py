"""Drive one exchange part by part, for tests that look at single replies."""

from dataclasses import dataclass, field

from headrace.extensions.control import forged
from headrace.extensions.headers import Headers
from headrace.extensions.stage import Stage, union
from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import BodyMode, Chunk, Direction, Head, Modes, Part
from headrace.host.exchange.plan import Plan
from headrace.host.exchange.reply import Output

FDS = BodyMode.FULL_DUPLEX_STREAMED
REQUEST, RESPONSE = Direction.REQUEST, Direction.RESPONSE
CHAT_PATH = (":path", "/v1/chat/completions")


@dataclass(slots=True)
class Drive:
    """One exchange and its clock, which moves only when a test moves it."""

    stages: tuple[Stage, ...]
    modes: Modes = field(default_factory=Modes)
    limits: Limits = field(default_factory=Limits)
    now_s: float = 100.0
    exchange: Exchange = field(init=False)

    def __post_init__(self) -> None:
        plan = Plan(
            "default",
            self.stages,
            self.limits,
            lambda headers: forged(headers, frozenset()),
            union(stage.needs for stage in self.stages),
            clock=lambda: self.now_s,
        )
        self.exchange = Exchange(plan, self.modes, "id-1", "", self.now_s)

    def send(self, part: Part) -> list[Output]:
        return self.exchange.receive(part, self.now_s)

    def head(self, *pairs: tuple[str, str], end: bool = False) -> list[Output]:
        """Send request headers."""
        return self.send(Head(REQUEST, Headers(((":method", "POST"), CHAT_PATH, *pairs)), end))

    def chunk(self, data: bytes, end: bool = False) -> list[Output]:
        """Send a piece of the request body."""
        return self.send(Chunk(REQUEST, data, end))

    def answer(self, *pairs: tuple[str, str], end: bool = False) -> list[Output]:
        """Send response headers."""
        return self.send(Head(RESPONSE, Headers(((":status", "200"), *pairs)), end))

    def answer_chunk(self, data: bytes, end: bool = False) -> list[Output]:
        """Send a piece of the response body."""
        return self.send(Chunk(RESPONSE, data, end))

    def at(self, seconds: float) -> list[Output]:
        """Let *seconds* pass and act on what is due."""
        self.now_s += seconds
        return self.exchange.expire(self.now_s)
