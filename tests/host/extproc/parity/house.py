"""A host whose endpoints say what a test gives them, and a proxy that says no more than it must.

As in the reference's own cases, the proxy does not tell its body modes, and its headers lack
`:path` and `:method` unless a test gives them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import cast

from headrace.dsl.cases import Given, GivenEndpoint, GivenPool
from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source, Span
from headrace.extensions.registry import Announce, Site, unannounced
from headrace.extensions.stage import Outcome
from headrace.host.exchange.limits import Limits
from headrace.host.extproc.proto import messages as pb
from headrace.host.generation import build_generation
from headrace.host.policytest.world import world
from tests.host.extproc.wire import client, run, serving

POOL = "servers"
QUIET_S = 0.05  # how long nothing must come, where nothing may

POLICY = """sched 1
trust { objective fairness_id model_rewrite slo ttl session from true }
pool servers { endpoints "192.168.1.1:8000"  adapters up to 4 }
objective high { priority 4 }
objective low { priority -4 }
model my-model, direct-model { route servers }
model sql-lora { adapter of servers }
model to-be-rewritten { route servers as "rewritten" }
scorer room    = 1.0 - endpoint.kv_cache
scorer idle    = 1.0 / (1.0 + double(endpoint.queue))
scorer prefix  = endpoint.prefix_match
scorer loaded  = request.adapter in endpoint.adapters ? 100% : 0%
profile default {
  score 2 * idle + 2 * room + 3 * prefix + 4 * loaded
  pick  max
}
overload when pool.queue > 5.0 || pool.kv_cache > 80% {
  shed when request.priority < 0 with 429 "saturated" retry after 3s
}
"""


@dataclass(frozen=True, slots=True)
class House:
    """What a host is like. *pods*: address -> fields of `endpoint.*`."""

    pods: Mapping[str, Mapping[str, Given]]
    policy: str = POLICY
    conformance: bool = False
    emit_scores: bool = False
    plain_errors: bool = False
    destinations: int = 3
    announce: Announce = unannounced
    limits: Limits = field(default_factory=Limits)
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    def say(
        self, requests: Sequence[pb.ProcessingRequest], wanted: int
    ) -> list[pb.ProcessingResponse]:
        """Send *requests* at once; return *wanted* answers, having seen that no more come."""
        answers: list[pb.ProcessingResponse] = []
        run(self._talk(requests, wanted, answers))
        return answers

    async def _talk(
        self,
        requests: Sequence[pb.ProcessingRequest],
        wanted: int,
        answers: list[pb.ProcessingResponse],
    ) -> None:
        span = Span(Source("x", "x"), 0, 1)
        program = compile_policy([Source("parity.sched", self.policy)])
        pods = tuple(GivenEndpoint(name, values, span) for name, values in self.pods.items())
        store = world(program, [GivenPool(POOL, pods, span)], monotonic()).store()
        site = Site(
            store,
            self.outcomes.append,
            epoch_s=time() - monotonic(),
            announce=self.announce,
            conformance=self.conformance,
            emit_scores=self.emit_scores,
            plain_errors=self.plain_errors,
            destinations=self.destinations,
        )
        generation = build_generation(program, site, self.limits)
        async with serving(generation.open) as (_, address), client(address) as opens:
            stream = opens()
            for request in requests:
                await stream.write(request)
            for _ in range(wanted):
                message = await stream.read()
                assert isinstance(message, pb.ProcessingResponse), f"the stream ended: {message}"
                answers.append(message)
            reading = asyncio.ensure_future(stream.read())
            await asyncio.wait((reading,), timeout=QUIET_S)
            more = reading.done() and isinstance(reading.result(), pb.ProcessingResponse)
            assert not more, f"one more than {wanted}: {reading}"
            stream.cancel()
            await asyncio.wait((reading,))
            if not reading.cancelled():
                reading.exception()


def pods(*loads: tuple[int, float]) -> dict[str, dict[str, Given]]:
    """Return endpoints 192.168.1.1:8000, .2, ... with these queues and KV caches."""
    return {
        f"192.168.1.{at + 1}:8000": {"queue": queue, "kv_cache": kv}
        for at, (queue, kv) in enumerate(loads)
    }


def headers(pairs: Mapping[str, str] | Sequence[tuple[str, str]]) -> pb.HeaderMap:
    """Return *pairs* as the cases of the reference send them: by `value`."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return pb.HeaderMap(headers=[pb.HeaderValue(key=n, value=v) for n, v in items])


def head(
    pairs: Mapping[str, str] | Sequence[tuple[str, str]],
    end_of_stream: bool = False,
    subset: object = None,
) -> pb.ProcessingRequest:
    """Return `request_headers`, with the hint *subset* beside them."""
    message = pb.HttpHeaders(headers=headers(pairs), end_of_stream=end_of_stream)
    return _hinted(pb.ProcessingRequest(request_headers=message), subset)


def body(data: bytes, end_of_stream: bool = True, subset: object = None) -> pb.ProcessingRequest:
    """Return `request_body`, with the hint *subset* beside it."""
    message = pb.HttpBody(body=data, end_of_stream=end_of_stream)
    return _hinted(pb.ProcessingRequest(request_body=message), subset)


def response_head(
    pairs: Mapping[str, str], end_of_stream: bool = False, served: str = ""
) -> pb.ProcessingRequest:
    """Return `response_headers`; *served* is where the proxy says that it went."""
    message = pb.HttpHeaders(headers=headers(pairs), end_of_stream=end_of_stream)
    request = pb.ProcessingRequest(response_headers=message)
    if served:
        struct = request.metadata_context.filter_metadata["envoy.lb"]
        struct.fields["x-gateway-destination-endpoint-served"].string_value = served
    return request


def response_body(data: bytes, end_of_stream: bool = False) -> pb.ProcessingRequest:
    """Return `response_body`."""
    return pb.ProcessingRequest(response_body=pb.HttpBody(body=data, end_of_stream=end_of_stream))


def chat(model: str, prompt: str = "hello", **headers: str) -> list[pb.ProcessingRequest]:
    """Return a completion request, the way the reference's cases send one."""
    names = {"hi": "mom", "x-request-id": "test-request-id"}
    names |= {name.replace("_", "-"): value for name, value in headers.items()}
    return [head(names), body(asked(model, prompt))]


def asked(model: str, prompt: str = "hello") -> bytes:
    """Return the body of a completion request."""
    text = f'{{"max_tokens":100,"model":"{model}","prompt":"{prompt}","temperature":0}}'
    return text.encode()


def _hinted(request: pb.ProcessingRequest, subset: object) -> pb.ProcessingRequest:
    if subset is None:
        return request
    struct = request.metadata_context.filter_metadata["envoy.lb.subset_hint"]
    slot = struct.fields["x-gateway-destination-endpoint-subset"]
    if isinstance(subset, list):
        slot.list_value.SetInParent()
        for item in cast("list[object]", subset):
            value = slot.list_value.values.add()
            if isinstance(item, str):
                value.string_value = item
            else:
                value.number_value = 7.0
    elif isinstance(subset, str):
        slot.string_value = subset
    else:
        slot.bool_value = True
    return request


# What an answer says, as plain values.


def sets(answer: pb.ProcessingResponse) -> dict[str, str]:
    """Return the headers that a headers reply sets; they must be set the one way that all take."""
    kind = answer.WhichOneof("response")
    common = getattr(answer, kind).response
    found: dict[str, str] = {}
    for option in common.header_mutation.set_headers:
        assert not option.header.value
        assert option.append_action == 2  # OVERWRITE_IF_EXISTS_OR_ADD
        assert option.header.key == option.header.key.lower()
        found[option.header.key] = option.header.raw_value.decode()
    return found


def removes(answer: pb.ProcessingResponse) -> list[str]:
    """Return the headers that a headers reply removes."""
    kind = answer.WhichOneof("response")
    return list(getattr(answer, kind).response.header_mutation.remove_headers)


def streamed(answer: pb.ProcessingResponse) -> tuple[str, bytes, bool]:
    """Return kind, bytes and end of a body reply, which must be a streamed one."""
    kind = answer.WhichOneof("response")
    assert kind in ("request_body", "response_body")
    mutation = getattr(answer, kind).response.body_mutation
    assert mutation.WhichOneof("mutation") == "streamed_response"
    return kind, mutation.streamed_response.body, mutation.streamed_response.end_of_stream


def told(answer: pb.ProcessingResponse) -> dict[str, object]:
    """Return the dynamic metadata of `envoy.lb`; it must be the only namespace."""
    assert list(answer.dynamic_metadata.fields) == ["envoy.lb"]
    fields = answer.dynamic_metadata.fields["envoy.lb"].struct_value.fields
    return {
        key: dict(_numbers(value.struct_value))
        if value.HasField("struct_value")
        else value.string_value
        for key, value in fields.items()
    }


def _numbers(struct: pb.Struct) -> dict[str, float]:
    return {key: value.number_value for key, value in struct.fields.items()}


def refusal(answer: pb.ProcessingResponse) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an immediate response."""
    assert answer.WhichOneof("response") == "immediate_response"
    found = answer.immediate_response
    fields = {o.header.key: o.header.raw_value.decode() for o in found.headers.set_headers}
    return found.status.code, fields, found.body
