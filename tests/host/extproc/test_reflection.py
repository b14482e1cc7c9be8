"""gRPC server reflection, asked by a real client; off unless asked for, and bounded."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from headrace.host.extproc import reflection
from headrace.host.extproc.grpcio import SERVICE
from headrace.host.extproc.health import HEALTH_SERVICE
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.proto.schema import files
from headrace.host.extproc.reflection import QUESTIONS_MAX, SERVICES, STREAMS_MAX, Reflection
from tests.host.extproc.wire import PATIENCE_S, aio, fresh, run, serving

grpc: Any = import_module("grpc")
OPEN = GrpcOptions(reflection=True)
LIST = pb.ServerReflectionRequest(list_services="")


@asynccontextmanager
async def asking(name: str = SERVICES[0]) -> AsyncGenerator[tuple[Any, Any, Any]]:
    """Serve with reflection; give the server, a channel to it and the method *name*."""
    async with (
        serving(fresh, options=OPEN) as (server, address),
        aio.insecure_channel(address) as channel,
    ):
        yield server, channel, method(channel, name)


def method(channel: Any, name: str = SERVICES[0]) -> Any:
    """Return the client's side of a service of reflection."""
    return channel.stream_stream(
        f"/{name}/{reflection.METHOD}",
        request_serializer=pb.ServerReflectionRequest.SerializeToString,
        response_deserializer=pb.ServerReflectionResponse.FromString,
    )


async def told(call: Any, question: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    """Return the answer to one question."""
    await call.write(question)
    answer: pb.ServerReflectionResponse = await asyncio.wait_for(call.read(), PATIENCE_S)
    return answer


async def code(call: Any) -> str:
    """Return the status that *call* ends with."""
    found: str = (await asyncio.wait_for(call.code(), PATIENCE_S)).name
    return found


def answer(**question: str) -> pb.ServerReflectionResponse:
    """Return what is answered to one question, without a wire."""
    raw = pb.ServerReflectionRequest(host="h", **question).SerializeToString()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return pb.ServerReflectionResponse.FromString(Reflection((SERVICE,)).answer(raw))


def pool(told: pb.ServerReflectionResponse) -> DescriptorPool:
    """Return a pool of the files in an answer, which must be all that they import."""
    found = DescriptorPool()
    described = told.file_descriptor_response.file_descriptor_proto
    waiting = [FileDescriptorProto.FromString(file) for file in described]
    names = {file.name for file in waiting}
    while waiting:
        file = next(f for f in waiting if not names.intersection(f.dependency))
        found.AddSerializedFile(file.SerializeToString())
        waiting.remove(file)
        names.remove(file.name)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_client_that_knows_nothing_learns_the_services_and_calls_one(name: str) -> None:
    async def test() -> None:
        async with asking(name) as (_, channel, method):
            call = method()
            listed = await told(call, LIST)
            health = pool(
                await told(call, pb.ServerReflectionRequest(file_containing_symbol=HEALTH_SERVICE))
            )
            await call.done_writing()
            asked = health.FindServiceByName(HEALTH_SERVICE).methods_by_name["Check"]
            request, response = (
                GetMessageClass(one) for one in (asked.input_type, asked.output_type)
            )
            check = channel.unary_unary(
                f"/{HEALTH_SERVICE}/Check",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            answer = await check(request(service="liveness"))

            services = [one.name for one in listed.list_services_response.service]
            assert services == sorted([SERVICE, HEALTH_SERVICE, *SERVICES])
            assert answer.status == 1
            assert await code(call) == "OK"

    run(test())


def test_nobody_is_told_anything_unless_the_operator_asks_for_it() -> None:
    async def test() -> None:
        async with serving(fresh) as (_, address), aio.insecure_channel(address) as channel:
            assert await code(method(channel)()) == "UNIMPLEMENTED"

    run(test())


def test_what_is_no_question_ends_the_stream() -> None:
    async def test() -> None:
        async with asking() as (_, channel, _):
            raw = channel.stream_stream(f"/{SERVICES[0]}/{reflection.METHOD}")
            call = raw()
            await call.write(b"\xff")
            assert await code(call) == "INVALID_ARGUMENT"

    run(test())


def test_one_stream_may_ask_so_many_questions_and_no_more() -> None:
    async def test() -> None:
        async with asking() as (_, _, method):
            call, answers = method(), 0
            for _ in range(QUESTIONS_MAX):
                answers += (await told(call, LIST)).HasField("list_services_response")
            await call.write(LIST)

            assert answers == QUESTIONS_MAX
            assert await code(call) == "RESOURCE_EXHAUSTED"

    run(test())


def test_so_many_may_ask_at_once_and_the_next_when_one_has_left() -> None:
    async def test() -> None:
        async with asking() as (_, _, method):
            calls = [method() for _ in range(STREAMS_MAX)]
            for call in calls:
                await told(call, LIST)
            refused = await code(method())  # asks nothing: grpcio tells of a lost write instead
            await calls[0].done_writing()
            left = await code(calls[0])
            answer = await told(method(), LIST)

            assert (refused, left) == ("RESOURCE_EXHAUSTED", "OK")
            assert answer.HasField("list_services_response")

    run(test())


def test_who_asks_holds_up_no_shutdown() -> None:
    async def test() -> None:
        async with asking() as (server, _, method):
            call = method()
            await told(call, LIST)
            await asyncio.wait_for(server.drain(PATIENCE_S), PATIENCE_S / 2)

            assert await code(call) in ("UNAVAILABLE", "CANCELLED", "UNKNOWN")

    run(test())


def test_every_name_is_found_in_a_file_that_comes_with_all_its_imports() -> None:
    for symbol in (
        SERVICE,
        f"{SERVICE}.Process",
        f".{SERVICE}",
        "envoy.service.ext_proc.v3.CommonResponse.ResponseStatus",
        "envoy.service.ext_proc.v3.CommonResponse.CONTINUE_AND_REPLACE",
        "envoy.service.ext_proc.v3.BodyMutation.clear_body",
        "envoy.service.ext_proc.v3.BodyMutation.mutation",
    ):
        found = pool(answer(file_containing_symbol=symbol))
        assert found.FindServiceByName(SERVICE).methods_by_name["Process"]

    for file in files():
        assert pool(answer(file_by_filename=file.name)).FindFileByName(file.name)


@pytest.mark.parametrize(
    "question",
    [
        {"file_containing_symbol": "envoy.service.ext_proc.v3.Nothing"},
        {"file_containing_symbol": ""},
        {"file_by_filename": "../secret.proto"},
        {"all_extension_numbers_of_type": "nobody"},
    ],
    ids=str,
)
def test_what_is_not_here_is_not_found(question: dict[str, str]) -> None:
    said = answer(**question)

    assert said.error_response.error_code == 5
    assert said.valid_host == said.original_request.host == "h"


def test_an_extension_is_not_found_and_a_message_has_none() -> None:
    extension = pb.ExtensionRequest(containing_type="google.protobuf.Any", extension_number=9)
    raw = pb.ServerReflectionRequest(file_containing_extension=extension).SerializeToString()
    refused = pb.ServerReflectionResponse.FromString(Reflection(()).answer(raw))
    none = answer(all_extension_numbers_of_type="google.protobuf.Any")
    nothing = answer()

    assert refused.error_response.error_code == 5
    assert none.all_extension_numbers_response.base_type_name == "google.protobuf.Any"
    assert not none.all_extension_numbers_response.extension_number
    assert nothing.error_response.error_code == 3
