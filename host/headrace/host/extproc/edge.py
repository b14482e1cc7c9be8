"""The asyncio edge of an exchange: performs the effects that its stages await."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.extensions.stage import Effect, Run

# An effect's reply is of the effect's own type, and performers are looked up by that type.
Performers = Mapping[type[Effect[Any]], Callable[[Any], Awaitable[object]]]


class UnknownEffect(Exception):
    """A stage awaits what this host has no performer for."""


@dataclass(frozen=True, slots=True)
class Performer:
    """Performs effects, each by the performer of its type; `Run` by running its coroutine."""

    performers: Performers = field(default_factory=dict[type[Effect[Any]], Any])

    def start(self, effect: Effect[Any]) -> "asyncio.Task[object]":
        """Start to perform *effect* and return the task whose result is the reply."""
        loop = asyncio.get_running_loop()
        if isinstance(effect, Run) and asyncio.iscoroutine(effect.coroutine):
            return loop.create_task(effect.coroutine)
        return loop.create_task(self._perform(effect))

    async def _perform(self, effect: Effect[Any]) -> object:
        perform = self.performers.get(type(effect))
        if perform is None:
            raise UnknownEffect(f"no performer for the effect `{type(effect).__name__}`")
        return await perform(effect)


def error_line(error: BaseException) -> str:
    """Return *error* as one line for spans: its type, as its text may hold a prompt."""
    return str(error) if isinstance(error, UnknownEffect) else type(error).__name__
