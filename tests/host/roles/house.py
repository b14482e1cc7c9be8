"""Exchanges at the roles of one policy, without a wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.headers import Headers
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site, builders
from headrace.extensions.stage import Outcome
from headrace.host.envoy.address import Address
from headrace.host.exchange.part import Chunk, Direction, Head, Modes
from headrace.host.exchange.reply import HeadersReply, ImmediateReply, Output
from headrace.host.extproc.opening import Opening
from headrace.host.generation import Generation, build_generation
from headrace.host.roles.plans import with_roles
from headrace.host.roles.role import Role

FIRST, SECOND = "10.0.0.1:8000", "10.0.0.2:8000"
POLICY = f"""sched 1
pool gemma {{ endpoints "{FIRST}" }}
pool fresh {{ endpoints "{SECOND}"  profile quick }}
model chatbot {{ priority 10  route gemma as "google/gemma" }}
profile quick {{ score 1 * even  pick max }}
scorer even = 1.0
"""
SOMEWHERE = Address("127.0.0.1", 0)
NOW_S = 1000.0
KEY = b"k" * 32
BASIC = {":method": "POST", ":path": "/v1/chat/completions", "x-request-id": "r-1"}
CALL = json.dumps({"model": "chatbot", "messages": [{"role": "user", "content": "hi"}]}).encode()


@dataclass(frozen=True, slots=True)
class Said:
    """What a role said of one request, and how its exchange was reported."""

    outputs: list[Output]
    outcome: Outcome | None

    @property
    def changes(self) -> dict[str, str]:
        (reply,) = [one for one in self.outputs if isinstance(one, HeadersReply)]
        removed = dict.fromkeys(reply.mutation.remove_headers, "")
        return {**removed, **{name: value for name, value, _ in reply.mutation.set_headers}}

    @property
    def answer(self) -> ImmediateReply:
        (reply,) = [one for one in self.outputs if isinstance(one, ImmediateReply)]
        return reply


class House:
    """A generation that plays the roles of the names given, as `chain` or `chain@pool`.

    known  whether the endpoints have been scraped
    """

    def __init__(
        self,
        *names: str,
        policy: str = POLICY,
        key: bytes = KEY,
        timeout_s: float = 1.0,
        known: bool = True,
    ) -> None:
        program = compile_policy([Source("p.sched", policy)])
        store = Store.for_program(program)
        for pool in program.pools.values():
            for address in pool.endpoints if known else ():
                store.scraped(pool.name, address, ServerFacts(0, 0, 0.0), NOW_S)
        self.heard: list[Outcome] = []
        site = Site(store, self.heard.append, session_key=key)
        self.generation: Generation = with_roles(
            build_generation(program, site),
            site,
            tuple(role(name, timeout_s) for name in names),
            builders(),
        )

    def ask(
        self,
        listener: str,
        headers: Mapping[str, str] | None = None,
        *,
        model: str = "chatbot",
        chain: str = "",
        modes: Modes | None = None,
        body: bytes | None = None,
    ) -> Said:
        """Return what the role *listener* says of a call for *model* with *headers*."""
        name = chain or listener.partition("@")[0]
        opening = Opening(modes or Modes(), name, listener=listener)
        exchange = self.generation.open(opening, NOW_S, "given")
        head = Headers(tuple({**BASIC, **(headers or {})}.items()))
        said = CALL.replace(b"chatbot", model.encode()) if body is None else body
        heard = len(self.heard)
        outputs = exchange.receive(Head(Direction.REQUEST, head, False), NOW_S)
        outputs += exchange.receive(Chunk(Direction.REQUEST, said, True), NOW_S)
        exchange.end("complete", NOW_S)
        new = self.heard[heard:]
        return Said(outputs, new[0] if new else None)


def role(name: str, timeout_s: float = 1.0) -> Role:
    """Return the role *name* at no port in particular."""
    chain, _, pool = name.partition("@")
    return Role(chain, SOMEWHERE, None, pool, timeout_s)
