"""What values an expression can take, as far as the checker can tell.

A bool is an interval too: 0 to 1 if it is undecided. Ints are exact; doubles rely on
rounding being monotone, so that the bounds of a result are the results of the bounds.
"""

import math
from dataclasses import dataclass

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
EXACT_MAX = 2**53  # up to here every int is a double, so Python's comparison is CEL's


@dataclass(frozen=True, slots=True)
class Interval:
    """All values from *lo* to *hi*; *nan* if NaN is possible beside them."""

    lo: float
    hi: float
    nan: bool = False

    @property
    def single(self) -> bool:
        """Whether exactly one value is possible."""
        return self.lo == self.hi and not self.nan

    def has(self, value: float) -> bool:
        """Return whether *value* is possible."""
        return self.lo <= value <= self.hi

    def bounded(self, op: str, bound: float, *, whole: bool) -> "Interval":
        """Return what of this is ``op bound``; itself if nothing is, or if NaN is possible.

        whole  whether the values are ints, so that what is below 8 is at most 7
        """
        step = 1 if whole and bound == int(bound) else 0
        lo, hi = self.lo, self.hi
        match op:
            case "<":
                hi = min(hi, bound - step)
            case "<=":
                hi = min(hi, bound)
            case ">":
                lo = max(lo, bound + step)
            case ">=":
                lo = max(lo, bound)
            case _:
                lo, hi = max(lo, bound), min(hi, bound)
        return self if lo > hi or self.nan else Interval(lo, hi)

    def within(self, lo: float, hi: float) -> bool:
        """Return whether nothing outside *lo* to *hi* is possible, NaN included."""
        return lo <= self.lo and self.hi <= hi and not self.nan


ANY_INT = Interval(INT_MIN, INT_MAX)
ANY_DOUBLE = Interval(-math.inf, math.inf, nan=True)
ANY_BOOL = Interval(0, 1)
TRUE = Interval(1, 1)
FALSE = Interval(0, 0)
COUNTS = Interval(0, 2**31 - 1)
RATIOS = Interval(0.0, 1.0)


def fits_int64(interval: Interval) -> bool:
    """Return whether no value overflows."""
    return interval.within(INT_MIN, INT_MAX)


def clip_int64(interval: Interval) -> Interval:
    """Return what is left of *interval* after the overflowing values became faults."""
    if interval.hi < INT_MIN or interval.lo > INT_MAX:
        return ANY_INT
    return Interval(max(interval.lo, INT_MIN), min(interval.hi, INT_MAX))


def union(a: Interval, b: Interval) -> Interval:
    """Return what is possible if either is."""
    return Interval(min(a.lo, b.lo), max(a.hi, b.hi), a.nan or b.nan)


def negate(a: Interval) -> Interval:
    """Return the range of `-a`."""
    return Interval(-a.hi, -a.lo, a.nan)


def arithmetic(op: str, a: Interval, b: Interval, *, of_ints: bool) -> Interval:
    """Return the range of `a op b` before any overflow check."""
    if a.nan or b.nan or math.inf in (abs(a.lo), abs(a.hi), abs(b.lo), abs(b.hi)):
        return ANY_DOUBLE
    match op:
        case "+":
            return _hull([a.lo + b.lo, a.hi + b.hi])
        case "-":
            return _hull([a.lo - b.hi, a.hi - b.lo])
        case "*":
            return _hull([x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)])
        case "/":
            return _int_quotient(a, b) if of_ints else _double_quotient(a, b)
        case _:
            return _remainder(a, b)


def _hull(values: list[float]) -> Interval:
    return Interval(min(values), max(values))


def _int_quotient(a: Interval, b: Interval) -> Interval:
    # The quotient is never farther from zero than the dividend.
    reach = max(abs(a.lo), abs(a.hi))
    if a.lo >= 0 and b.lo > 0:
        return Interval(0, reach)
    return Interval(-reach, reach)


def _double_quotient(a: Interval, b: Interval) -> Interval:
    if b.has(0.0):
        return ANY_DOUBLE
    return _hull([float(x) / float(y) for x in (a.lo, a.hi) for y in (b.lo, b.hi)])


def _remainder(a: Interval, b: Interval) -> Interval:
    reach = min(max(abs(a.lo), abs(a.hi)), max(abs(b.lo), abs(b.hi)))
    return Interval(0 if a.lo >= 0 else -reach, 0 if a.hi <= 0 else reach)


def compare(op: str, a: Interval, b: Interval) -> Interval:
    """Return the range of the bool `a op b`."""
    match op:
        case "<":
            return _decided(a.hi < b.lo, a.lo >= b.hi, a, b)
        case "<=":
            return _decided(a.hi <= b.lo, a.lo > b.hi, a, b)
        case ">":
            return _decided(a.lo > b.hi, a.hi <= b.lo, a, b)
        case ">=":
            return _decided(a.lo >= b.hi, a.hi < b.lo, a, b)
        case "==":
            return _decided(a.single and b.single and a.lo == b.lo, _apart(a, b), a, b)
        case _:
            equal = compare("==", a, b)
            return Interval(1 - equal.hi, 1 - equal.lo)


def _apart(a: Interval, b: Interval) -> bool:
    return a.hi < b.lo or b.hi < a.lo


def _decided(always: bool, never: bool, a: Interval, b: Interval) -> Interval:
    if always and not (a.nan or b.nan):
        return TRUE
    return FALSE if never else ANY_BOOL


def both(a: Interval, b: Interval) -> Interval:
    """Return the range of `a && b`."""
    return Interval(min(a.lo, b.lo), min(a.hi, b.hi))


def either(a: Interval, b: Interval) -> Interval:
    """Return the range of `a || b`."""
    return Interval(max(a.lo, b.lo), max(a.hi, b.hi))
