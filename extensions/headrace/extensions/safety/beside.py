"""Coroutines of several providers, driven by hand: what they await goes out together."""

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from headrace.extensions.safety.contract import Http, Judged, Kind, Rpc, Together, Trouble
from headrace.extensions.stage import Effect, Now

T = TypeVar("T")
# Any: what a coroutine awaits; the host lets it await effects only.
Awaits = Coroutine[Any, Any, T]


def begun(asking: Awaits[T]) -> "T | Awaits[T]":
    """Return what *asking* comes to if it awaits nothing, else a coroutine that goes on with it."""
    try:
        effect = asking.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return _rest(asking, effect)


async def _rest(asking: Awaits[T], effect: Effect[Any]) -> T:
    try:
        while True:
            reply = await effect
            try:
                effect = asking.send(reply)
            except StopIteration as end:
                result: T = end.value
                return result
    finally:
        asking.close()


async def side_by_side(asking: Sequence[Awaits[T]]) -> list[T]:
    """Return what each of *asking* comes to, in their order.

    They go in step: what all of them await next is performed at the same time.
    """
    left = dict(enumerate(asking))
    replies: dict[int, object] = {}
    done: dict[int, T] = {}
    try:
        while left:
            effects: dict[int, Effect[Any]] = {}
            for at, one in list(left.items()):
                try:
                    effects[at] = one.send(replies.get(at))
                except StopIteration as end:
                    done[at] = end.value
                    del left[at]
            if effects:
                got = await performed(list(effects.values()))
                replies = dict(zip(effects, got, strict=True))
    finally:
        for one in left.values():
            one.close()
    return [done[at] for at in range(len(asking))]


async def performed(effects: Sequence[Effect[Any]]) -> list[object]:
    """Return the replies to *effects*, which the host performs at the same time."""
    flat: list[Effect[Any]] = []
    for effect in effects:
        flat += effect.effects if isinstance(effect, Together) else (effect,)
    world = [effect for effect in flat if not isinstance(effect, Now)]
    told: list[object] = []
    if len(world) == 1:
        told = [await world[0]]
    elif world:
        told = list(await Together(tuple(world)))
    now_s = await Now() if len(world) < len(flat) else 0.0
    rest = iter(told)
    replies = [now_s if isinstance(effect, Now) else next(rest) for effect in flat]
    return _regrouped(effects, replies)


def _regrouped(effects: Sequence[Effect[Any]], replies: list[object]) -> list[object]:
    grouped: list[object] = []
    at = 0
    for effect in effects:
        if isinstance(effect, Together):
            size = len(effect.effects)
            grouped.append(tuple(replies[at : at + size]))
            at += size
        else:
            grouped.append(replies[at])
            at += 1
    return grouped


async def within(asking: Awaits[Judged], now_s: float, due_s: float) -> Judged:
    """Return what *asking* comes to, or that it took too long: longer than from *now_s* to *due_s*.

    Every call that it makes gets at most what is left of that.
    """
    reply: object = None
    try:
        while True:
            try:
                effect: Effect[Any] = asking.send(reply)
            except StopIteration as end:
                judged: Judged = end.value
                return judged
            reply = await _capped(effect, due_s - now_s)
            now_s = await Now()
            if now_s >= due_s:
                return Trouble(Kind.TIMEOUT, "the guard's time is over")
    finally:
        asking.close()


def _capped(effect: Effect[Any], left_s: float) -> Effect[Any]:
    if isinstance(effect, Http):
        return replace(effect, timeout_s=min(effect.timeout_s, left_s))
    if isinstance(effect, Rpc):
        return replace(
            effect, call=replace(effect.call, timeout_s=min(effect.call.timeout_s, left_s))
        )
    if isinstance(effect, Together):
        return Together(tuple(_capped(one, left_s) for one in effect.effects))
    return effect
