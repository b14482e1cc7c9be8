"""gRPC health over grpcio."""

import asyncio

from headrace.host.extproc.health import (
    HEALTH_SERVICE,
    SERVICE_UNKNOWN,
    Health,
    HealthFault,
    reply,
    requested,
)
from headrace.host.extproc.rpc import Context, service, status, streaming, unary


def health_service(health: Health) -> object:
    """Return the service that tells of *health*, for a grpcio server."""

    async def check(message: bytes, context: Context) -> bytes:
        found = health.status(await _name(message, context))
        if found == SERVICE_UNKNOWN:
            await context.abort(status("NOT_FOUND"), "no such service")
        return reply(found)

    async def watch(message: bytes, context: Context) -> None:
        name = await _name(message, context)
        changed = asyncio.Event()
        told = changed.set
        if not health.watch(told):
            await context.abort(status("RESOURCE_EXHAUSTED"), "too many watchers")
        try:
            last = None
            while True:
                changed.clear()
                news = health.status(name)
                if news != last:
                    last = news
                    await context.write(reply(news))
                if health.closed:
                    await context.abort(status("UNAVAILABLE"), "the host is going")
                await changed.wait()
        finally:
            health.unwatch(told)

    return service(HEALTH_SERVICE, {"Check": unary(check), "Watch": streaming(watch)})


async def _name(message: bytes, context: Context) -> str:
    try:
        return requested(message)
    except HealthFault as fault:
        await context.abort(status(fault.code), str(fault))
