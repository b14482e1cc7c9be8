"""The ring of the last exchanges: what is found in it, and that it holds no more than it may."""

import asyncio
import gc
import tracemalloc

import pytest
from bench.inprocess import InProcess

from headrace.extensions.call import Api, Call, Media
from headrace.extensions.headers import Headers
from headrace.extensions.stage import Outcome
from headrace.host.explain.tell import Teller
from headrace.host.telemetry.ring import Ring, Wanted
from headrace.host.telemetry.summary import summarise
from tests.extensions.body_router.policies import changed
from tests.host.telemetry import outcomes

EXCHANGES = 200


def ring(*ended: Outcome, **bounds: int) -> Ring:
    """Return a ring into which *ended* were put, oldest first."""
    made = Ring(**bounds)
    for outcome in ended:
        made.put(outcome, summarise(outcome), 1.0)
    return made


def named(*ids: str) -> list[Outcome]:
    """Return served exchanges of these ids."""
    ended = outcomes.served()
    return [changed(ended, request=changed(ended.request, id=name)) for name in ids]


def ids(kept: Ring) -> list[str]:
    return [k.outcome.request.id for k in kept.newest()]


def test_the_newest_are_kept_by_number_and_by_bytes() -> None:
    three = ring(*named("a", "b", "c", "d"), kept_max=3)
    size = next(three.newest()).bytes
    two = ring(*named("a", "b", "c", "d"), bytes_max=2 * size + 1)
    one = ring(*named("a", "b"), bytes_max=1)

    assert ids(three) == ["d", "c", "b"]
    assert ids(two) == ["d", "c"]
    assert ids(one) == ["b"]
    assert three.bytes == sum(k.bytes for k in three.newest())
    assert two.bytes == sum(k.bytes for k in two.newest())


def test_a_request_is_found_by_its_id_before_one_that_only_begins_so() -> None:
    kept = ring(*named("ab", "a", "abc"))

    def found(name: str) -> str:
        one = kept.find(name)
        return one.outcome.request.id if one else ""

    assert [found(name) for name in ("a", "ab", "abc", "x")] == ["a", "ab", "abc", ""]
    assert ring(*named("abc", "abd")).find("ab") is not None


def test_every_kind_of_end_is_kept_and_can_be_asked_for() -> None:
    kept = ring(outcomes.served(), outcomes.shed(), outcomes.unknown(), outcomes.failed())

    def asked(**wanted: str) -> list[str]:
        return [k.reason or "-" for k in kept.newest(Wanted(**wanted))]

    assert asked() == ["-", "unknown-model", "shed", "-"]
    assert asked(model="chatbot") == ["shed", "-"]
    assert asked(model="gpt-9") == ["unknown-model"]
    assert asked(pool="gemma", reason="shed") == ["shed"]
    assert asked(pool="nowhere") == []


def test_no_prompt_and_no_body_is_kept() -> None:
    (kept,) = ring(outcomes.served()).newest()

    assert kept.outcome.request.body is None
    assert outcomes.SECRET not in str(kept.outcome.request.call)
    assert getattr(kept.outcome.request.call, "texts", None) == ()


def test_no_form_of_a_prompt_is_kept() -> None:
    media = (Media(0, 7),)
    call = Call(
        Api.COMPLETIONS, "chatbot", (), 4, None, False, 4, b"1,2,3,4", media, "salt of a caller"
    )
    ended = outcomes.served()
    (kept,) = ring(changed(ended, request=changed(ended.request, call=call))).newest()
    found = kept.outcome.request.call

    assert isinstance(found, Call)
    assert (found.ids, found.media, found.salt) == (b"", (), "")
    assert found.model == "chatbot"


def test_long_headers_count_by_their_length() -> None:
    ended = outcomes.served()
    usual = next(ring(ended).newest()).bytes
    fields = Headers([*ended.request.headers.pairs, ("cookie", "x" * 50_000)])
    (kept,) = ring(changed(ended, request=changed(ended.request, headers=fields))).newest()

    assert kept.bytes - usual >= 50_000


def test_the_story_is_the_same_before_and_after_somebody_looked_at_the_record() -> None:
    kept = ring(outcomes.served())
    (one,) = kept.newest()
    early = Teller().tell(one.noted())
    assert one.decision is not None
    assert one.decision.record.scored

    assert Teller().tell(one.noted()) == early
    assert {row.endpoint for row in early.rows} == {e.name for e in one.decision.endpoints}


@pytest.mark.parametrize("endpoints", [16, 64])
def test_what_is_kept_takes_no_more_than_is_reckoned(endpoints: int) -> None:
    """Each exchange here sees another snapshot: its own reservation makes one."""

    async def measured() -> tuple[int, list[int]]:
        host = InProcess(endpoints)
        for number in range(20):
            host.run(host.talk(number))
        host.telemetry.ring = Ring()
        talks = [host.talk(number) for number in range(20, 20 + EXCHANGES)]
        gc.collect()
        tracemalloc.start()
        try:
            for talk in talks:
                host.run(talk)
            full = tracemalloc.get_traced_memory()[0]
            kept = list(host.telemetry.ring.newest())
            host.telemetry.ring = Ring()
            gc.collect()
            reckoned = [k.bytes for k in kept]
            kept.clear()
            gc.collect()
            return full - tracemalloc.get_traced_memory()[0], reckoned
        finally:
            tracemalloc.stop()

    used, reckoned = asyncio.run(measured())

    assert len(reckoned) == EXCHANGES
    assert 0.6 * sum(reckoned) < used < 1.1 * sum(reckoned)
