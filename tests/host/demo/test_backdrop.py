"""The demo's policy is the shipped one, with nothing changed but where its endpoints are."""

from pathlib import Path

import pytest

from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.source import Source
from headrace.host.cli.policies import shipped_policy
from headrace.host.demo.backdrop import endpoints_of, move

TEXT = """sched 1
pool a { endpoints "127.0.0.1:1", "127.0.0.1:2" }
pool b { endpoints "127.0.0.1:3" }
model chat { route 50% to a as "chat-v2", 50% to b }
model spanish { adapter of a }
"""


def test_endpoints_move_even_onto_each_others_addresses() -> None:
    swapped = ("127.0.0.1:3", "127.0.0.1:1", "127.0.0.1:2")

    backdrop = move(Source("x.sched", TEXT), swapped)

    assert backdrop.pool_of == {"127.0.0.1:3": "a", "127.0.0.1:1": "a", "127.0.0.1:2": "b"}
    assert endpoints_of(backdrop.source) == swapped
    for before, after in zip(TEXT.splitlines(), backdrop.source.text.splitlines(), strict=True):
        assert before == after or before.startswith("pool")


def test_replicas_serve_what_the_routes_ask_them_for() -> None:
    backdrop = move(Source("x.sched", TEXT), [f"127.0.0.1:{port}" for port in (7, 8, 9)])

    serves = {r.address: (r.models, r.adapters) for r in backdrop.replicas}
    assert serves == {
        "127.0.0.1:7": (("chat-v2",), ("spanish",)),
        "127.0.0.1:8": (("chat-v2",), ("spanish",)),
        "127.0.0.1:9": (("chat",), ()),
    }


def test_the_quickstart_is_found_and_has_two_pools_and_two_adapters() -> None:
    path = shipped_policy("quickstart.sched")
    assert path is not None

    source = Source(str(path), path.read_text())
    backdrop = move(source, endpoints_of(source))

    assert backdrop.source == source
    assert len(backdrop.replicas) == 6
    assert sorted(set(backdrop.pool_of.values())) == ["gemma", "gemma-new"]
    assert backdrop.replicas[0].adapters == ("english-bot", "spanish-bot")


def test_what_is_not_shipped_is_not_found() -> None:
    assert shipped_policy("no-such.sched") is None


def test_a_policy_that_does_not_compile_starts_nothing() -> None:
    with pytest.raises(PolicyError):
        move(Source("x.sched", Path(__file__).read_text()), ())
