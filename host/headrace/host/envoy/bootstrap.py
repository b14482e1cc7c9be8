"""A whole Envoy bootstrap for one policy: what its chain needs and no more. Pure.

Facts about Envoy that shape it are commented where they are used; each tree is checked
against a real Envoy by `tests/host/envoy`.
"""

import math

import yaml

from headrace.dsl.program import Chain, Pool, Program
from headrace.extensions.stage import Needs
from headrace.host.envoy.address import Address
from headrace.host.envoy.clusters import (
    LB_NAMESPACE,
    BootstrapError,
    pool_addresses,
    pool_cluster,
    processor_cluster,
    socket_address,
)
from headrace.host.envoy.control import strip_control_headers
from headrace.host.envoy.options import EnvoyOptions, Tree
from headrace.host.envoy.processor import ext_proc_filter
from headrace.host.envoy.routes import ROUTER_STAGE, route_config
from headrace.host.envoy.waits import longest_wait_s

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
# With it the processor sees the end of a finished exchange as end of stream, never as a reset.
_GRACEFUL_CLOSE = "envoy.reloadable_features.ext_proc_graceful_grpc_close"
_BUFFER_BYTES_MAX = 1_048_576  # per connection; Envoy's default, said aloud


def bootstrap(program: Program, needs: Needs, options: EnvoyOptions) -> Tree:
    """Return the bootstrap of an Envoy that runs *options.chain* of *program*.

    needs  the union of what the chain's stages need

    Raises:
        BootstrapError: with every reason why a static Envoy cannot serve this policy.
    """
    chain, pools = _resolve(program, options.chain)
    picked = LB_NAMESPACE in needs.receiving
    tree: Tree = {
        "static_resources": {
            "listeners": [_listener(program, chain, needs, options)],
            "clusters": [
                processor_cluster(options),
                *(pool_cluster(pool, found, picked=picked) for pool, found in pools),
            ],
        },
        "layered_runtime": {
            "layers": [{"name": "static", "static_layer": {_GRACEFUL_CLOSE: True}}]
        },
    }
    return {"admin": {"address": socket_address(options.admin)}, **tree} if options.admin else tree


def as_yaml(tree: Tree) -> str:
    """Return *tree* as YAML, keys in the order they were written, without anchors."""
    return yaml.dump(tree, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)


class _Plain(yaml.SafeDumper):
    """Writes equal parts out again: anchors make a configuration hard to read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _resolve(program: Program, name: str) -> tuple[Chain, list[tuple[Pool, list[Address]]]]:
    problems: list[str] = []
    chain = program.chain(name)
    if chain is None:
        known = ", ".join(f"`{n}`" for n in sorted({"default", *program.chains}))
        problems.append(f"no chain `{name}` in the policy; it has {known}")
    elif ROUTER_STAGE not in chain.stages and len(program.pools) != 1:
        problems.append(
            f"chain `{name}` has no `{ROUTER_STAGE}` and the policy has {len(program.pools)} pools:"
            f" add `{ROUTER_STAGE}` to the chain, so that something chooses a pool"
        )
    pools: list[tuple[Pool, list[Address]]] = []
    for pool in program.pools.values():
        found, wrong = pool_addresses(pool)
        pools.append((pool, found))
        problems += wrong
    if problems or chain is None:
        raise BootstrapError(problems)
    return chain, pools


def _listener(program: Program, chain: Chain, needs: Needs, options: EnvoyOptions) -> Tree:
    manager = _connection_manager(program, chain, needs, options)
    return {
        "name": "inference",
        "address": socket_address(options.listen),
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES_MAX,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _connection_manager(
    program: Program, chain: Chain, needs: Needs, options: EnvoyOptions
) -> Tree:
    manager: Tree = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "inference",
        # As an edge: clients may not steer Envoy by x-envoy-* headers.
        "use_remote_address": True,
        "preserve_external_request_id": True,
        "normalize_path": True,
        "stream_idle_timeout": f"{options.idle_timeout_s + math.ceil(longest_wait_s(program))}s",
        "request_headers_timeout": "10s",
        "http_protocol_options": {"enable_trailers": True},
        "early_header_mutation_extensions": [strip_control_headers(program)],
        "route_config": route_config(program, chain),
        "http_filters": [
            ext_proc_filter(needs, options),
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
            },
        ],
    }
    if options.access_log:
        manager["access_log"] = [_ACCESS_LOG]
    return manager


_ACCESS_LOG: Tree = {
    "name": "envoy.access_loggers.stderr",
    "typed_config": {"@type": f"{_EXTENSIONS}.access_loggers.stream.v3.StderrAccessLog"},
}
