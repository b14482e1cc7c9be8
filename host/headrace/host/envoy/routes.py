"""The routes: each pool by the header that only the chain can set, and nothing past the chain."""

from collections.abc import Sequence

import msgspec

from headrace.dsl.program import Chain, Program
from headrace.host.envoy.clusters import pool_cluster_name
from headrace.host.envoy.control import POOL_HEADER
from headrace.host.envoy.options import Tree

ROUTER_STAGE = "body_router"


def route_config(program: Program, chain: Chain) -> Tree:
    """Return the route table.

    A chain that routes names the pool in a header; a request without it was decided by
    nobody and gets 503. A chain that does not route can serve one pool, its only choice.
    """
    routes: list[Tree]
    if ROUTER_STAGE in chain.stages:
        routes = [_to_pool(pool, POOL_HEADER) for pool in program.pools]
        routes.append(_UNDECIDED)
    else:
        routes = [_to_pool(pool, None) for pool in program.pools]
    return {"name": "headrace", "virtual_hosts": [_virtual_host(routes)]}


def _virtual_host(routes: Sequence[Tree]) -> Tree:
    return {"name": "all", "domains": ["*"], "routes": list(routes)}


def _to_pool(pool: str, header: str | None) -> Tree:
    match: Tree = {"prefix": "/"}
    if header:
        match["headers"] = [{"name": header, "string_match": {"exact": pool}}]
    return {
        "name": f"to-{pool}",
        "match": match,
        "route": {
            "cluster": pool_cluster_name(pool),
            "timeout": "0s",
            "retry_policy": _RETRY,
        },
    }


def _error(message: str) -> str:
    error = {"message": message, "type": "server_error", "param": None, "code": "undecided"}
    return msgspec.json.encode({"error": error}).decode()


# While no answer has begun, the next of the picked endpoints is tried, and only that one: the
# death of a server costs its callers nothing, and a prompt that kills servers has two at most.
_RETRY: Tree = {
    "retry_on": "connect-failure,refused-stream,reset",
    "num_retries": 1,
}

_UNDECIDED: Tree = {
    "name": "undecided",
    "match": {"prefix": "/"},
    "direct_response": {
        "status": 503,
        "body": {"inline_string": _error("no policy decided on this request")},
    },
    "response_headers_to_add": [
        {
            "header": {"key": "content-type", "value": "application/json"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    ],
}
