"""Hand-made programs and needs for the bootstrap tests: no compiler, no stages."""

from headrace.dsl.program import Chain, Model, Pool, Program, Rule, Share, Trust, When
from headrace.dsl.serving import Mirror
from headrace.dsl.source import Source, Span
from headrace.extensions.stage import Needs, ResponseNeed
from headrace.host.envoy.address import parse_address
from headrace.host.envoy.options import EnvoyOptions

SPAN = Span(Source("case.sched", "pool gemma {}"), 0, 4)
LB = frozenset({"envoy.lb"})


def pool(name: str, *endpoints: str) -> Pool:
    return Pool(name, SPAN, endpoints)


def options(**changes: object) -> EnvoyOptions:
    base = EnvoyOptions(parse_address("127.0.0.1:8080"), (parse_address("127.0.0.1:9002"),))
    known: dict[str, object] = {
        name: getattr(base, name) for name in EnvoyOptions.__dataclass_fields__
    }
    return EnvoyOptions(**{**known, **changes})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


TWO_POOLS = Program(
    "d1",
    pools={
        "gemma": pool("gemma", "127.0.0.1:18001", "127.0.0.1:18002"),
        "gemma-new": pool("gemma-new", "[::1]:18005"),
    },
)
MIRRORED = Program(
    "d3",
    pools=TWO_POOLS.pools,
    models={
        "chat": Model(
            "chat",
            SPAN,
            routes=(Share("gemma", 1.0),),
            mirrors=(Mirror("gemma-new", 0.05),),
        )
    },
)
ONE_POOL = Program(
    "d2",
    pools={"only": pool("only", "10.0.0.1:8000")},
    chains={"pick": Chain("pick", ("picker",)), "screen": Chain("screen", ("safety",))},
    trusts=(
        Trust(frozenset({"objective", "endpoint"}), When(Rule("t", SPAN), lambda r, p, n: True)),
    ),
)

FULL = Needs(
    request_body=True,
    response=ResponseNeed.OBSERVE,
    attributes=frozenset({"source.address", "request.path"}),
    forwarding=LB | {"envoy.lb.subset_hint"},
    receiving=LB,
)
PICK_ONLY = Needs(receiving=LB)
GATED = Needs(request_body=True, response=ResponseNeed.GATE)

CASES: dict[str, tuple[Program, Needs, EnvoyOptions]] = {
    "whole_chain": (TWO_POOLS, FULL, options()),
    "mirrored": (MIRRORED, PICK_ONLY, options()),
    "picker_alone": (ONE_POOL, PICK_ONLY, options(chain="pick")),
    "gated_behind_tls": (
        ONE_POOL,
        GATED,
        options(
            chain="screen",
            admin=parse_address("127.0.0.1:9901"),
            processors=(parse_address("127.0.0.1:9002"), parse_address("127.0.0.1:9012")),
            processor_tls=True,
            access_log=True,
            idle_timeout_s=30,
        ),
    ),
}
