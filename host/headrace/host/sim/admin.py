"""The endpoints beside the answers: models, health, metrics, adapters."""

import time

import msgspec
from aiohttp import web

from headrace.host.sim.api_error import ApiError
from headrace.host.sim.bodies import AdapterBody, decode
from headrace.host.sim.exposition import CONTENT_TYPE, expose, note_adapters
from headrace.host.sim.generate import read_json
from headrace.host.sim.other_pages import PATHS, SPOKEN, other_page
from headrace.host.sim.service import ADAPTERS_MAX, Service


class Admin:
    """Handles the endpoints of one `Service` that do not need a step of its replica."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """Return the routes handled here."""
        return [
            web.get("/v1/models", self._models),
            web.get("/health", self._health),
            web.get(PATHS.get(self._service.options.metrics, "/metrics"), self._metrics),
            web.post("/v1/load_lora_adapter", self._load),
            web.post("/v1/unload_lora_adapter", self._unload),
        ]

    async def _models(self, request: web.Request) -> web.Response:
        options = self._service.options
        context = self._service.replica.context_tokens_max
        base = [{**_card(name), "max_model_len": context} for name in options.models]
        tuned = [
            {**_card(name), "root": path or name, "parent": options.models[0]}
            for name, path in self._service.adapters.items()
        ]
        whole = {"object": "list", "data": [*base, *tuned]}
        return web.json_response(body=msgspec.json.encode(whole))

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, request: web.Request) -> web.Response:
        service = self._service
        metrics = service.replica.metrics()
        note_adapters(service.adapter_series, metrics, time.time())
        model, dialect = service.options.models[0], service.options.metrics
        if dialect in SPOKEN:
            page = other_page(dialect, metrics, model)
        else:
            page = expose(metrics, model, service.adapter_series)
        return web.Response(body=page.encode(), headers={"content-type": CONTENT_TYPE})

    async def _load(self, request: web.Request) -> web.Response:
        body = decode(await read_json(request), AdapterBody)
        service = self._service
        if not body.lora_name or not body.lora_path:
            message = "Both 'lora_name' and 'lora_path' must be provided."
            raise ApiError(400, message, "InvalidUserInput")
        if body.lora_name in service.adapters or body.lora_name in service.options.models:
            message = f"The lora adapter '{body.lora_name}' has already been loaded."
            raise ApiError(400, message, "InvalidUserInput")
        if not service.options.max_loras:
            raise ApiError(400, "LoRA is not enabled; start the server with max_loras 1 or more")
        if len(service.adapters) >= ADAPTERS_MAX:
            raise ApiError(400, f"{ADAPTERS_MAX} adapters are loaded; unload one first")
        service.adapters[body.lora_name] = body.lora_path
        name = body.lora_name
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    async def _unload(self, request: web.Request) -> web.Response:
        body = decode(await read_json(request), AdapterBody)
        service = self._service
        if not body.lora_name:
            message = "either 'lora_name' and 'lora_int_id' needs to be provided."
            raise ApiError(400, message, "InvalidUserInput")
        if body.lora_name not in service.adapters:
            message = f"The lora adapter '{body.lora_name}' cannot be found."
            raise ApiError(404, message, "NotFoundError")
        del service.adapters[body.lora_name]
        service.replica.unload(body.lora_name)
        name = body.lora_name
        return web.Response(text=f"Success: LoRA adapter '{name}' removed successfully.")


def _card(name: str) -> dict[str, object]:
    created = int(time.time())
    card = {"id": name, "object": "model", "created": created, "owned_by": "vllm", "root": name}
    return {**card, "parent": None}
