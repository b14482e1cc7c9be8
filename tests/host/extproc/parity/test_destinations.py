"""How many endpoints of a pick the proxy is told, best first."""

import pytest

from tests.host.extproc.parity.house import House, chat, pods, sets, told

DESTINATION = "x-gateway-destination-endpoint"
FOUR = pods((0, 0.1), (5, 0.5), (9, 0.5), (20, 0.9))
BEST = [f"192.168.1.{number}:8000" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_proxy_is_told_no_more_endpoints_than_it_takes(most: int) -> None:
    first, _ = House(FOUR, destinations=most).say(chat("my-model"), 2)
    where = ",".join(BEST[:most])

    assert sets(first)[DESTINATION] == where
    assert told(first)[DESTINATION] == where
