"""Errors as the reference systems give them."""

import msgspec
import pytest

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject
from headrace.host.exchange.local import head_of, immediate
from headrace.host.exchange.plain_errors import plain


@pytest.mark.parametrize(
    ("reject", "error"),
    [
        (
            Reject(Reason.SAFETY_BLOCKED, "Malicious trial", 400),
            {
                "type": "bad_request_error",
                "message": "Malicious trial",
                "param": "",
                "code": "bad_request_error",
            },
        ),
        (
            Reject(Reason.SAFETY_BLOCKED, "be kind", 400, code="unkind"),
            {"type": "bad_request_error", "message": "be kind", "param": "", "code": "unkind"},
        ),
    ],
)
def test_a_blocked_prompt_is_answered_as_the_gateway_of_gke_does(
    reject: Reject, error: dict[str, str]
) -> None:
    reply = plain(immediate(reject, tuple(head_of(reject).items()), False, None), reject)

    assert reply.status == 403
    assert dict(reply.headers)["content-type"] == "text/plain"
    assert msgspec.json.decode(reply.body) == {"error": error}
