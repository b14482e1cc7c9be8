import pytest

from headrace.extensions.control import CONTROL, forged
from headrace.extensions.headers import Headers

NOBODY = frozenset[str]()


def headers(*names: str) -> Headers:
    return Headers((name, "1") for name in names)


@pytest.mark.parametrize("name", sorted(CONTROL))
def test_no_control_header_passes_untrusted(name: str) -> None:
    assert forged(headers("accept", name), NOBODY) == (name,)


@pytest.mark.parametrize("name", sorted(n for n, trust in CONTROL.items() if trust))
def test_a_trusted_control_header_passes(name: str) -> None:
    trust = CONTROL[name]
    assert trust is not None

    assert forged(headers(name), frozenset((trust,))) == ()


@pytest.mark.parametrize("name", ["x-gateway-model-name", "x-headrace-pool", "x-headrace-new"])
def test_what_only_we_say_is_never_believed(name: str) -> None:
    everything = frozenset(trust for trust in CONTROL.values() if trust)

    assert forged(headers(name), everything) == (name,)


def test_a_name_is_named_once_and_ordinary_headers_stay() -> None:
    given = headers("x-request-id", "epp-profile", "x-session-id", "epp-profile", "x-slo-ttft-ms")

    assert forged(given, NOBODY) == ("epp-profile", "x-slo-ttft-ms")
