"""gRPC server reflection over grpcio."""

from contextlib import suppress

from headrace.host.extproc.reflection import (
    METHOD,
    QUESTIONS_MAX,
    SERVICES,
    STREAMS_MAX,
    Reflection,
    ReflectionFault,
)
from headrace.host.extproc.rpc import DEAD_STREAM, AbortError, Context, duplex, service, status


class Teller:
    """Tells of a Reflection. Mutable: it knows who is asking. Event loop's thread only."""

    def __init__(self, reflection: Reflection) -> None:
        self._reflection = reflection
        self._asking: set[Context] = set()

    def services(self) -> list[object]:
        """Return the services, by both their names, for a grpcio server."""
        return [service(name, {METHOD: duplex(self._serve)}) for name in SERVICES]

    async def expel(self) -> None:
        """Send away who asks: they may have nothing more to ask for hours."""
        for context in tuple(self._asking):
            with suppress(AbortError, *DEAD_STREAM):
                await context.abort(status("UNAVAILABLE"), "the host is going")

    async def _serve(self, _requests: object, context: Context) -> None:
        if len(self._asking) >= STREAMS_MAX:
            await context.abort(status("RESOURCE_EXHAUSTED"), "too many ask")
        self._asking.add(context)
        try:
            await self._tell(context)
        finally:
            self._asking.discard(context)

    async def _tell(self, context: Context) -> None:
        questions = 0
        while isinstance(message := await context.read(), bytes):
            questions += 1
            if questions > QUESTIONS_MAX:
                await context.abort(status("RESOURCE_EXHAUSTED"), "too many questions")
            try:
                answer = self._reflection.answer(message)
            except ReflectionFault as fault:
                await context.abort(status(fault.code), str(fault))
            await context.write(answer)
