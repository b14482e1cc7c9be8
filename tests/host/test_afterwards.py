"""What looks back at an exchange: `decision.*`, `response.*` and the rest, from its outcome."""

from msgspec.structs import replace

from headrace.extensions.picker.stage import Served
from headrace.extensions.records import Usage
from headrace.extensions.stage import Outcome, StageRun
from headrace.host.afterwards import look_back
from headrace.host.policytest.run import Runner
from headrace.host.policytest.world import world
from tests.host.policytest.house import POOL, program

POLICY = program(
    POOL
    + "model chat { priority 10  route gemma }\n"
    + 'class nightly when request.header("x-job") == "batch" { priority -10 }\n'
    + "overload when pool.queue > 5.0 {\n"
    + '  shed when request.priority < 0 with 429 "busy" retry after 3s\n}\n'
    + 'guard keys { patterns "AKIA"  on match block with 400 "a key" }\n'
    + 'test "full" { given pool gemma { endpoint a { "queue": 9 } }\n'
    + '  when request { "model": "chat" } expect !decision.shed }\n'
)
FULL = world(POLICY, POLICY.tests[0].pools)


def outcome(**request: object) -> Outcome:
    """Return how a request of `chat` ends where all is full."""
    fields = {"model": "chat", **request}
    return Runner(POLICY).request(fields, FULL).outcome  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def added(ended: Outcome, *records: object) -> Outcome:
    """Return *ended* with records of one hook more."""
    run = StageRun("later", "on_response_end", 0.0, 0.0, "continue", records=records)
    return replace(ended, runs=(*ended.runs, run))


def test_a_request_that_was_shed_tells_why_and_what_the_client_was_told() -> None:
    seen = look_back(outcome(headers={"x-job": "batch"}), POLICY)

    told = seen.decision
    assert (told.shed, told.rejected, told.blocked) == (True, True, False)
    assert (told.status, told.reason, told.message) == (429, "shed", "busy")
    assert (told.retry_after_s, told.kind, told.priority) == (3.0, "nightly", -10)
    assert (told.pool, told.endpoint) == ("gemma", "")
    assert seen.request.priority == -10
    assert seen.response.headers["retry-after"] == "3"


def test_a_request_that_was_served_tells_where_and_by_whom() -> None:
    ended = outcome()
    seen = look_back(ended, POLICY)

    assert (seen.decision.pool, seen.decision.endpoint) == ("gemma", "a")
    assert (seen.decision.status, seen.decision.reason, seen.decision.rejected) == (0, "", False)
    assert (seen.model.name, seen.model.priority) == ("chat", 10)
    assert seen.response.status == 200
    assert seen.response.size > 0
    assert look_back(added(ended, Served("gemma", "x", "9:1")), POLICY).decision.endpoint == "9:1"


def test_what_the_server_counted_is_there_once_it_has_said_so() -> None:
    ended = added(outcome(), Usage(5, 2, 3))
    seen = look_back(ended, POLICY).response

    assert (seen.prompt_tokens, seen.completion_tokens, seen.cached_tokens) == (5, 2, 3)


def test_a_request_that_nobody_routed_has_empty_values_and_no_fault() -> None:
    seen = look_back(outcome(path="/nowhere"), POLICY)

    assert seen.model.name == seen.decision.pool == seen.decision.kind == ""
    assert seen.decision.reason == "unknown-path"


def test_a_guard_that_found_something_is_named() -> None:
    told = look_back(outcome(prompt="AKIA"), POLICY).decision

    assert (told.blocked, told.guard, told.message) == (True, "keys", "a key")
