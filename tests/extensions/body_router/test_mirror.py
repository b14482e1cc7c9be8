from dataclasses import replace

import pytest
from msgspec import structs

from headrace.dsl.serving import Mirror
from headrace.extensions.body_router import build
from headrace.extensions.headers import Headers
from headrace.extensions.records import Routing
from headrace.extensions.stage import Continue, ExchangeInfo, Request
from tests.extensions.body_router.policies import CHATBOT, opened, program, request, site

MARK = "x-headrace-mirror"


def marked(request: Request, *mirrors: Mirror) -> str:
    """Return the pool that a copy of *request* is marked for; empty if for none."""
    policy = program((replace(CHATBOT, mirrors=mirrors),))
    info = ExchangeInfo("r", "default", request.headers, 0.0)
    action = opened(build(policy, site()).open(info)).on_request(request, 0.0)
    assert isinstance(action, Continue)
    (routing,) = [record for record in action.records if isinstance(record, Routing)]
    assert routing.mirror == action.set_headers.get(MARK, "")
    return routing.mirror


def test_a_stable_share_of_the_requests_is_marked_for_each_mirror() -> None:
    mirrors = (Mirror("llm-base", 0.25), Mirror("gemma-new", 0.5))
    ids = [f"r-{i}" for i in range(2000)]
    first = [marked(request(id=each), *mirrors) for each in ids]

    assert first == [marked(request(id=each), *mirrors) for each in ids]
    assert 0.2 < first.count("llm-base") / 2000 < 0.3
    assert 0.45 < first.count("gemma-new") / 2000 < 0.55


def test_all_requests_may_be_mirrored_or_none() -> None:
    assert {marked(request(id=f"r-{i}"), Mirror("gemma", 1.0)) for i in range(200)} == {"gemma"}
    assert marked(request()) == ""


def test_who_is_mirrored_does_not_depend_on_where_the_request_goes() -> None:
    def share(pool: str) -> float:
        policy = program((replace(CHATBOT, mirrors=(Mirror("llm-base", 0.5),)),))
        stage = build(policy, site())
        marks: list[bool] = []
        for i in range(3000):
            asked = request(id=f"r-{i}")
            info = ExchangeInfo("r", "default", asked.headers, 0.0)
            action = opened(stage.open(info)).on_request(asked, 0.0)
            assert isinstance(action, Continue)
            if action.set_headers["x-headrace-pool"] == pool:
                marks.append(MARK in action.set_headers)
        return sum(marks) / len(marks)

    assert abs(share("gemma") - 0.5) < 0.1
    assert abs(share("gemma-new") - 0.5) < 0.1


@pytest.mark.parametrize(
    ("host", "pool"), [("models-shadow:443", ""), ("models-shadow", ""), ("models:443", "gemma")]
)
def test_a_copy_has_no_copies(host: str, pool: str) -> None:
    asked = request()
    named = Headers((*asked.headers.pairs, (":authority", host)))

    assert marked(structs.replace(asked, headers=named), Mirror("gemma", 1.0)) == pool
