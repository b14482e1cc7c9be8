"""The provider of built-in detectors: what has a known form and a check, found without a model."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from headrace.extensions.safety.contract import Asked, Found, Reach, Verdict
from headrace.extensions.safety.detectors.addresses import EMAIL, IP
from headrace.extensions.safety.detectors.api_key import API_KEY, NAMED_KEY
from headrace.extensions.safety.detectors.card import CARD
from headrace.extensions.safety.detectors.detector import Detector
from headrace.extensions.safety.detectors.iban import IBAN
from headrace.extensions.safety.detectors.phone import PHONE
from headrace.extensions.safety.detectors.tokens import JWT, PRIVATE_KEY
from headrace.extensions.safety.detectors.us_ssn import US_SSN
from headrace.extensions.safety.expression import Expression, flat_expression
from headrace.extensions.safety.flat import Flattener
from headrace.extensions.safety.local import LOOK_BACK, REACH, TooMany, verdict

ALL = (CARD, IBAN, US_SSN, API_KEY, NAMED_KEY, EMAIL, PHONE, IP, PRIVATE_KEY, JWT)
NAMES = frozenset(detector.name for detector in ALL)
CANDIDATES_MAX = 20_000  # of one kind in one text: some 100 ms
AUTOMATON_BYTES_MAX = 16 << 20


@dataclass(frozen=True, slots=True)
class Detectors:
    """Finds what any of its detectors finds. One search of all at once clears the usual text."""

    any_of: Expression = field(repr=False)
    each: tuple[tuple[Detector, Expression], ...] = field(repr=False)
    tail: Expression = field(repr=False)
    tails: tuple[tuple[Detector, Expression], ...] = field(repr=False)
    flattener: Flattener = field(repr=False)
    width_min: int
    width_max: int
    name: str = "detect"
    reach: Reach = REACH

    def screen(self, asked: Asked) -> Verdict:
        """Return what is found in the texts."""
        return verdict(self, asked)

    def found(self, text: str, start: int = 0) -> tuple[Found, ...]:
        """Return what is found in *text*, in the order of its places.

        Raises:
            TooMany: a text that is made to cost time, or a list of thousands of numbers.
        """
        data = self.flattener.flat(text)
        if self.any_of.search(data, start) is None:
            return ()
        found = [
            one
            for detector, expression in self.each
            for one in _found(detector, expression, data, start)
        ]
        return tuple(sorted(found, key=lambda one: one.start))

    def partial_start(self, text: str, overlap: int = 64) -> int:
        """Return the first character of what could be the beginning of something."""
        tail = text[-(self.width_max + LOOK_BACK) :]
        data = self.flattener.flat(tail)
        held = len(data) - _start(self.tail, data)
        if held > self.width_min:
            held = max(_held(detector, expression, data) for detector, expression in self.tails)
        return len(text) - held


def detector(names: Iterable[str]) -> Detectors:
    """Return the provider that has the detectors *names*, of `NAMES`, at least one."""
    wanted = frozenset(names)
    assert frozenset() < wanted <= NAMES, "the checker knows the names"
    chosen = [one for one in ALL if one.name in wanted]
    widths = [one.width_max for one in chosen]
    return Detectors(
        _expression("|".join(one.whole for one in chosen)),
        tuple((one, _expression(one.whole)) for one in chosen),
        _ending("|".join(one.tail for one in chosen)),
        tuple((one, _ending(one.tail)) for one in chosen),
        Flattener(),
        min(widths),
        max(widths),
    )


def _expression(text: str) -> Expression:
    return flat_expression(text, AUTOMATON_BYTES_MAX)


def _ending(text: str) -> Expression:
    """Compile *text*, or nothing, at the end: RE2 reads that from the end, as far as it must."""
    return _expression(f"(?:{text}|)\\z")


def _start(ending: Expression, data: bytes) -> int:
    place = ending.search(data)
    assert place is not None, "nothing at all is the beginning of everything"
    return place.span()[0]


def _held(detector: Detector, ending: Expression, data: bytes) -> int:
    """Return how many bytes at the end of *data* could be of what *detector* finds."""
    part = data[-(detector.width_max + LOOK_BACK) :]
    return len(part) - _start(ending, part)


def _found(detector: Detector, expression: Expression, data: bytes, start: int) -> Iterator[Found]:
    candidates = 0
    while place := expression.search(data, start):
        candidates += 1
        if candidates > CANDIDATES_MAX:
            raise TooMany(f"a text has more than {CANDIDATES_MAX} that may be a {detector.name}")
        since, end = place.span()
        result = detector.check(data, since, end)
        if isinstance(result, tuple):
            yield Found(detector.name, *result, since)
            start = max(result[1], since + 1)
        else:
            start = max(result, since + 1)
