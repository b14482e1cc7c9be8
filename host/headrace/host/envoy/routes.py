"""The routes: each pool by the header that only the chain can set, and nothing past the chain."""

from collections.abc import Sequence

import msgspec

from headrace.dsl.program import Chain, Program
from headrace.host.envoy.clusters import pool_cluster_name
from headrace.host.envoy.control import MIRROR_HEADER, POOL_HEADER
from headrace.host.envoy.options import Tree

ROUTER_STAGE = "body_router"


def route_config(program: Program, chain: Chain) -> Tree:
    """Return the route table.

    A chain that routes names the pool in a header, and in another the one that gets a copy;
    a request without a pool was decided by nobody and gets 503. A chain that does not route
    can serve one pool, its only choice.
    """
    routes: list[Tree]
    if ROUTER_STAGE in chain.stages:
        mirrors = sorted({m.pool for model in program.models.values() for m in model.mirrors})
        routes = [_to_pool(pool, POOL_HEADER, m) for m in mirrors for pool in program.pools]
        routes += [_to_pool(pool, POOL_HEADER) for pool in program.pools]
        routes.append(_UNDECIDED)
    else:
        routes = [_to_pool(pool, None) for pool in program.pools]
    return {"name": "headrace", "virtual_hosts": [_virtual_host(routes)]}


def _virtual_host(routes: Sequence[Tree]) -> Tree:
    return {"name": "all", "domains": ["*"], "routes": list(routes)}


def _to_pool(pool: str, header: str | None, mirror: str = "") -> Tree:
    """Return the route to *pool*; with a *mirror*, that of requests of which it gets a copy."""
    said = {header: pool} if header else {}
    action: Tree = {
        "cluster": pool_cluster_name(pool),
        "timeout": "0s",
        "retry_policy": _RETRY,
    }
    if mirror:
        said[MIRROR_HEADER] = mirror
        action["request_mirror_policies"] = [{"cluster": pool_cluster_name(mirror)}]
    match: Tree = {"prefix": "/"}
    if said:
        match["headers"] = [
            {"name": name, "string_match": {"exact": value}} for name, value in said.items()
        ]
    name = f"to-{pool}-and-{mirror}" if mirror else f"to-{pool}"
    return {"name": name, "match": match, "route": action}


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
