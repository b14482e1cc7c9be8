"""The stand-in for Model Armor against the client that Google publishes."""

import asyncio
from importlib import import_module
from typing import Any

import pytest

from headrace.host.standins.armor import Armor
from headrace.host.standins.armor_grpc import ArmorGrpc
from headrace.host.standins.armor_rest import endpoints
from headrace.host.standins.server import StandIn
from tests.host.clients.house import TEMPLATE, run
from tests.host.clients.test_model_armor import BOMB, CARD, stocked, template

# Untyped on purpose: half of these packages has types, and another half needs stubs.
armor: Any = import_module("google.cloud.modelarmor_v1")
errors: Any = import_module("google.api_core.exceptions")
credentials: Any = import_module("google.auth.credentials")
aio: Any = import_module("grpc.aio")
transports: Any = import_module("google.cloud.modelarmor_v1.services.model_armor.transports")


def by_grpc(channel: Any) -> Any:
    """Return the published client over *channel*."""
    transport = transports.ModelArmorGrpcAsyncIOTransport(channel=channel)
    return armor.ModelArmorAsyncClient(transport=transport)


def by_rest(port: int) -> Any:
    """Return the published client, blocking, for the server at *port*."""
    transport = transports.ModelArmorRestTransport(
        host=f"127.0.0.1:{port}",
        credentials=credentials.AnonymousCredentials(),
        url_scheme="http",
    )
    return armor.ModelArmorClient(transport=transport)


def test_the_published_client_reads_the_stand_in_by_grpc() -> None:
    async def whole() -> Any:
        async with ArmorGrpc(stocked()) as server:
            channel = aio.insecure_channel(f"127.0.0.1:{server.port}")
            client = by_grpc(channel)
            item = armor.DataItem(text=CARD)
            answer = await client.sanitize_user_prompt(
                armor.SanitizeUserPromptRequest(name=TEMPLATE, user_prompt_data=item)
            )
            named = await client.get_template(name=TEMPLATE)
            with pytest.raises(errors.NotFound):
                await client.get_template(name=template("missing"))
            requests = [
                armor.SanitizeModelResponseRequest(
                    name=TEMPLATE, model_response_data=armor.DataItem(text=text)
                )
                for text in ("Once", BOMB)
            ]
            stream = await client.stream_sanitize_model_response(requests=iter(requests))
            pieces = [piece async for piece in stream]
            await channel.close()
            return answer, named, pieces

    answer, named, pieces = run(whole)

    result = answer.sanitization_result
    findings = result.filter_results["sdp"].sdp_filter_result.inspect_result.findings
    assert result.filter_match_state == armor.FilterMatchState.MATCH_FOUND
    assert result.invocation_result == armor.InvocationResult.SUCCESS
    assert [finding.info_type for finding in findings] == [
        "CREDIT_CARD_NUMBER",
        "US_SOCIAL_SECURITY_NUMBER",
    ]
    assert findings[0].location.byte_range.start == 6
    assert named.name == TEMPLATE
    assert len(named.filter_config.rai_settings.rai_filters) == 4
    assert [p.sanitization_result.filter_match_state.name for p in pieces] == [
        "NO_MATCH_FOUND",
        "MATCH_FOUND",
    ]
    chunk = pieces[1].sanitization_result.sanitization_metadata.stream_chunk_processed
    assert chunk.text == BOMB


def test_the_published_client_reads_the_stand_in_by_rest() -> None:
    def blocking(port: int) -> Any:
        client = by_rest(port)
        parent = TEMPLATE.partition("/templates")[0]
        config = armor.FilterConfig(
            malicious_uri_filter_settings=armor.MaliciousUriFilterSettings(
                filter_enforcement="ENABLED"
            )
        )
        made = client.create_template(
            parent=parent,
            template_id="made",
            template=armor.Template(filter_config=config),
        )
        with pytest.raises(errors.Conflict):
            client.create_template(
                parent=parent,
                template_id="made",
                template=armor.Template(filter_config=config),
            )
        item = armor.DataItem(text="http://malware.example/a")
        answer = client.sanitize_model_response(
            armor.SanitizeModelResponseRequest(name=made.name, model_response_data=item)
        )
        listed = [one.name for one in client.list_templates(parent=parent)]
        client.delete_template(name=made.name)
        return made, answer, listed

    async def whole() -> Any:
        async with StandIn(endpoints(stocked())) as server:
            return await asyncio.to_thread(blocking, server.port)

    made, answer, listed = run(whole)

    assert made.name == template("made")
    result = answer.sanitization_result.filter_results["malicious_uris"]
    uris = result.malicious_uri_filter_result.malicious_uri_matched_items
    assert [uri.uri for uri in uris] == ["http://malware.example/a"]
    assert made.name in listed


def test_who_has_no_token_is_told_so_as_google_does() -> None:
    async def whole() -> None:
        async with ArmorGrpc(Armor(frozenset({"good"}))) as server:
            channel = aio.insecure_channel(f"127.0.0.1:{server.port}")
            client = by_grpc(channel)
            with pytest.raises(errors.Unauthenticated):
                await client.get_template(name=TEMPLATE)
            await channel.close()

    run(whole)
