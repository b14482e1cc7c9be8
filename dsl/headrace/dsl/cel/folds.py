"""What macros call: the loops, and the logic that lets one answer outweigh errors."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.dsl.cel import compare
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.lists import elements
from headrace.dsl.cel.values import Fault, base_of

T = TypeVar("T")
_UNSET = object()


@dataclass(slots=True)
class Steps:
    """How many more items the macros of one evaluation may go through. Written by it only."""

    left: int

    def over(self, items: Sequence[T]) -> Iterator[T]:
        """Yield *items*, counting them.

        Raises:
            Fault: the evaluation has gone through too many.
        """
        self.left -= len(items)
        if self.left < 0:
            raise Fault("range", "the evaluation takes too many steps")
        return iter(items)


@dataclass(slots=True)
class Once:
    """A value that is evaluated when it is first asked for. Used by one evaluation only."""

    make: Callable[[], object]
    value: object = _UNSET
    fault: Fault | None = None

    def __call__(self) -> object:
        """Return the value, or raise the fault that it has instead."""
        if self.fault is not None:
            raise self.fault
        if self.value is _UNSET:
            try:
                self.value = self.make()
            except Fault as fault:
                self.fault = fault
                raise
        return self.value


def truth(value: object) -> bool:
    """Return the bool *value*."""
    if value is True or value is False:
        return value
    raise Fault("type", "no such overload: not a bool")


def both(left: Callable[[], bool], right: Callable[[], bool]) -> bool:
    """Return ``left && right``: false if either is, whatever the other does."""
    try:
        if not left():
            return False
    except Fault:
        if not right():
            return False
        raise
    return right()


def either(left: Callable[[], bool], right: Callable[[], bool]) -> bool:
    """Return ``left || right``: true if either is, whatever the other does."""
    try:
        if left():
            return True
    except Fault:
        if right():
            return True
        raise
    return right()


def exists(items: Iterable[T], test: Callable[[T], bool]) -> bool:
    """Return whether *test* holds for any item; one that holds outweighs faults."""
    fault: Fault | None = None
    for item in items:
        try:
            if test(item):
                return True
        except Fault as caught:
            fault = caught
    if fault is not None:
        raise fault
    return False


def every(items: Iterable[T], test: Callable[[T], bool]) -> bool:
    """Return whether *test* holds for all items; one that fails to hold outweighs faults."""
    return not exists(items, lambda item: not test(item))


def bind(value: T, body: Callable[[T], object]) -> object:
    """Return *body* of *value*."""
    return body(value)


def sort_by(items: object, key: Callable[[object], object]) -> list[object]:
    """Return the items of a list in the order of their keys."""
    if base_of(items) is not Base.LIST:
        raise Fault("type", "no such overload")
    values = elements(items)
    return compare.sorted_by(values, [key(value) for value in values])
