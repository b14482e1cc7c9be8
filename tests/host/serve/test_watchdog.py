"""A loop that is held up is seen."""

import asyncio
import logging
import time

import pytest

from headrace.host.serve.watchdog import EVERY_S, LATE_S, Watchdog


async def watch(blocked_s: float) -> list[float]:
    lags: list[float] = []
    async with Watchdog(lags.append):
        await asyncio.sleep(EVERY_S / 2)
        time.sleep(blocked_s)  # noqa: ASYNC251  # what a stage must not do
        await asyncio.sleep(EVERY_S)
    return lags


def test_a_stage_that_blocks_is_measured_and_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        lags = asyncio.run(watch(EVERY_S / 2 + 3 * LATE_S))

    assert max(lags) > LATE_S
    assert "held up" in caplog.text


def test_a_free_loop_is_on_time() -> None:
    lags = asyncio.run(watch(0.0))

    assert lags
    assert min(lags) < LATE_S
