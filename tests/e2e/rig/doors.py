"""The doors of the rig's one Envoy: every pair of body modes, and each special setting once."""

from collections.abc import Iterator

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig.config import FDS, MIB, Door

BUFFERED_BYTES_MAX = 40 * MIB  # above the default body limit of 32 MiB
WHOLE = (BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL)
STREAMED, NONE = BodyMode.STREAMED, BodyMode.NONE


def pair(request: BodyMode, response: BodyMode) -> str:
    """Return the name of the door with these body modes."""
    return f"{request.name}-{response.name}"


def pairs() -> Iterator[Door]:
    """Yield one door per pair of body modes."""
    for request in BodyMode:
        for response in BodyMode:
            wide = request in WHOLE or response in WHOLE
            yield Door(
                pair(request, response),
                request,
                response,
                buffer_bytes_max=BUFFERED_BYTES_MAX if wide else MIB,
            )


SAME = tuple(pair(mode, mode) for mode in BodyMode)
BODIES = tuple(pair(mode, mode) for mode in BodyMode if mode is not NONE)
DUPLEX = pair(FDS, FDS)


def mortal(mode: BodyMode, *, fail_open: bool) -> str:
    """Return the name of the door whose processor the failure tests start and kill."""
    return f"mortal-{mode.name}-{'open' if fail_open else 'closed'}"


MORTAL_MODES = (FDS, STREAMED, BodyMode.BUFFERED, NONE)
SPECIAL = (
    Door("direct", processor=""),
    Door("twins", processor="twins", retry=True),
    Door("twins-streamed", FDS, STREAMED, processor="twins", retry=True),
    Door("no-request-headers", STREAMED, STREAMED, request_headers=False),
    Door("response-only", NONE, STREAMED, request_headers=False, trailers=False),
    Door("bodies-only", STREAMED, STREAMED, request_headers=False, response_headers=False),
    Door("trailers-only", NONE, NONE, request_headers=False, response_headers=False),
    Door("no-trailers", STREAMED, STREAMED, trailers=False),
    Door("observing", STREAMED, STREAMED, observe=True),
    Door("overriding", STREAMED, STREAMED, mode_override=True),
    Door("no-immediate", immediate_disabled=True),
    Door("no-metadata", receiving=()),
    Door("traced", trace_header="x-trace"),
    Door("retrying", route_retry=True),
    Door("eager", STREAMED, STREAMED, eager_body=True),
    Door("hasty", STREAMED, STREAMED, message_timeout_s=1.0, message_timeout_max_s=10.0),
    Door("tight", BodyMode.BUFFERED, BodyMode.BUFFERED, buffer_bytes_max=16 * 1024),
    *(
        Door(mortal(mode, fail_open=fail_open), mode, mode, "mortal", fail_open=fail_open)
        for mode in MORTAL_MODES
        for fail_open in (False, True)
    ),
)


def all_doors() -> list[Door]:
    """Return every door of the rig."""
    return [*pairs(), *SPECIAL]
