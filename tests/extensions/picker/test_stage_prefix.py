"""What the picker stage learns of prompts, and of what servers say they had cached."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.call import Api, Call, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker.record import Capture
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import PickFilter
from headrace.extensions.picker.store import Store
from headrace.extensions.records import Usage
from headrace.extensions.stage import Outcome, Request, Route, StageRun
from tests.extensions.picker.build import ready_store
from tests.extensions.picker.test_stage import LONG, POLICY, A, B, C, opened, picked, request


def ended(flt: PickFilter, status: int = 200, *records: object) -> None:
    run = StageRun("observability", "on_response_end", 1.0, 1.0, "continue", records=records)
    flt.on_end(Outcome(request(), 0.0, 2.0, status, "complete", runs=(run,)), 2.0)


def test_what_the_server_says_it_had_cached_is_compared_with_what_was_predicted() -> None:
    store = ready_store(POLICY)
    for cached in (0, 400):
        flt = opened(store)
        flt.on_request(request(), 1.0)
        ended(flt, 200, Usage(400, 20, cached))

    tally = store.prefixes["gemma"].tally
    assert (tally.prompt, tally.observed) == (800, 400)
    assert 300 < tally.predicted <= 400


def test_a_prompt_that_was_answered_with_an_error_is_cached_nowhere() -> None:
    store = ready_store(POLICY)
    flt = opened(store)
    flt.on_request(request(), 1.0)
    assert len(store.prefixes["gemma"]) > 0
    ended(flt, 503)

    assert len(store.prefixes["gemma"]) == 0


def test_an_error_takes_back_nothing_that_another_request_brought() -> None:
    store = ready_store(POLICY)
    first, second = opened(store), opened(store)
    chosen = picked(first.on_request(request(), 1.0)).chosen
    assert picked(second.on_request(request("r-2"), 1.0)).chosen == chosen
    before = len(store.prefixes["gemma"])
    ended(first, 503)

    assert len(store.prefixes["gemma"]) == before


def test_the_next_turn_of_a_conversation_finds_its_answer_where_it_was_made() -> None:
    store = ready_store(POLICY)
    flt = opened(store)
    decision = picked(flt.on_request(request(), 1.0))
    ended(flt, 200, Usage(400, 300, 0))
    texts = (Text("user", LONG), Text("assistant", LONG), Text("user", "go on"))
    call = Call(Api.CHAT, "chatbot", texts, 800, None, True)
    following = Request("r-2", Headers(), b"{}", call, Route("chatbot", "gemma", "chatbot"))

    seen = picked(opened(store).on_request(following, 3.0)).evidence
    assert isinstance(seen, Capture)
    assert seen.request.prefix[decision.chosen or ""] > 0.95


def test_a_pool_says_how_its_prompts_are_cut_and_what_its_index_may_take() -> None:
    text = (
        'sched 1\npool p { endpoints "10.0.0.1:8000"  prefix blocks of 128 tokens'
        "  prefix memory 8MB }\nmodel m { route p }\n"
    )
    policy = compile_policy([Source("a.sched", text)])
    store = Store.for_program(policy)
    index = store.prefixes["p"]
    index.insert("10.0.0.1:8000", [1, 2])
    store.adopt(policy, 1.0)

    assert (index.block_bytes, index.bytes_max) == (512, 8_000_000)
    assert store.prefixes["p"] is index
    store.adopt(compile_policy([Source("a.sched", text.replace("128", "64"))]), 2.0)
    assert store.prefixes["p"].block_bytes == 256
    assert len(store.prefixes["p"]) == 0


def test_the_very_first_prompt_of_a_pool_is_cut_as_all_later_ones_are() -> None:
    store = ready_store(POLICY)
    store.prefixes["gemma"].learn_block(128)
    decision = picked(opened(store).on_request(request(), 1.0))

    seen = picked(opened(store).on_request(request("r-2"), 2.0)).evidence
    assert isinstance(seen, Capture)
    assert seen.request.prefix[decision.chosen or ""] == 1.0


def test_prompts_are_cut_as_large_as_the_servers_own_blocks() -> None:
    store = ready_store(POLICY)
    store.prefixes["gemma"].insert(A, [1, 2])
    for tokens, expected in ((16, 256), (128, 512), (64, 512), (10**9, 512)):
        store.scraped("gemma", A, ServerFacts(block_size=tokens, num_blocks=100), 5.0)
        assert store.prefixes["gemma"].block_bytes == expected

    assert store.prefixes["gemma"].match([1, 2]) == {}


def test_the_first_prompt_of_all_is_cut_as_the_pool_says() -> None:
    text = (
        f'sched 1\npool gemma {{ endpoints "{A}", "{B}"  prefix blocks of 128 tokens }}\n'
        "model chatbot { route gemma }\n"
    )
    policy = compile_policy([Source("a.sched", text)])
    store = ready_store(policy)
    first = picked(opened(store, policy).on_request(request(), 1.0)).chosen

    seen = picked(opened(store, policy).on_request(request("r-2"), 1.1)).evidence
    assert isinstance(seen, Capture)
    assert seen.request.prefix == {first: 1.0}


@pytest.mark.parametrize("usage", [Usage(-5, -1, -3), Usage(10**18, 10**18, 10**18)])
def test_a_server_that_counts_nonsense_teaches_nothing(usage: Usage) -> None:
    store = ready_store(POLICY)
    for address in (A, B, C):
        store.prefixes["gemma"].set_capacity(address, 100_000)
    chosen = ""
    for n in range(3):
        flt = opened(store)
        chosen = picked(flt.on_request(request(f"r-{n}"), 1.0)).chosen or ""
        ended(flt, 200, usage)

    tally = store.prefixes["gemma"].tally
    assert (tally.prompt, tally.observed) == (0, 0)
    assert store.prefixes["gemma"].blocks_of(chosen) > 1
