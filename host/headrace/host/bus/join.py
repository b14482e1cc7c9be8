"""Joins a store with the others by the ways that an operator asked for."""

from secrets import token_hex
from time import monotonic

from headrace.extensions.picker.peers.company import Company
from headrace.extensions.picker.peers.outbox import Outbox
from headrace.extensions.picker.store import Store
from headrace.host.bus.bus import Bus
from headrace.host.bus.local import LocalChannel
from headrace.host.bus.port import Channel, Lacking
from headrace.host.bus.redis import RedisChannel
from headrace.host.serve.options import State
from headrace.host.telemetry.metrics import Metrics

ORIGIN_BYTES = 8


class Unjoined(Exception):
    """A way to the others cannot be had. The message says why."""


def bus_of(state: State, store: Store, epoch_s: float, metrics: Metrics) -> Bus:
    """Return the bus of *store*, which tells *metrics* how it fares.

    Raises:
        Unjoined: what carries it is not installed.
    """
    channels: list[Channel] = []
    if state.seat is not None and state.seat.count > 1:
        channels.append(LocalChannel(state.seat))
    if state.redis:
        try:
            channels.append(RedisChannel(state.redis))
        except Lacking as error:
            raise Unjoined(str(error)) from error
    company = Company(store, Outbox(token_hex(ORIGIN_BYTES), epoch_s))
    metrics.peers(
        lambda: len(company.heard),
        lambda: company.heard.age_s(monotonic()),
        lambda: [((channel.name,), float(channel.up)) for channel in channels],
    )
    return Bus(company, channels, metrics)
