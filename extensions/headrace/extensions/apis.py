"""The inference APIs that are understood, and which of them a path names.

A path names its API by its end, so that any prefix before `/v1/` fits; on some clouds it
names the model too. What is read of each API is in `call` and in `texts`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote


class Api(Enum):
    """The APIs whose bodies are understood; the value is their name in traces and metrics."""

    CHAT = "chat"
    COMPLETIONS = "text_completion"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    CONVERSATIONS = "conversations"
    IMAGES = "images"
    MODERATIONS = "moderations"
    RERANK = "rerank"
    SCORE = "score"
    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    CHAT_RENDER = "chat_render"
    COMPLETIONS_RENDER = "completions_render"
    TOKENS = "token_generate"
    GENERATE = "generate"
    TOKENIZE = "tokenize"
    DETOKENIZE = "detokenize"
    PREDICT = "predict"
    GEMINI = "generate_content"
    GRPC_GENERATE = "grpc_generate"
    GRPC_EMBED = "grpc_embed"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python function

    @property
    def operation(self) -> str:
        """OpenTelemetry's `gen_ai.operation.name`: a word of its own list where one fits."""
        return OPERATIONS.get(self, self.value)

    @property
    def grpc(self) -> bool:
        """Whether bodies are protobuf messages in gRPC's frames, not JSON."""
        return self in (Api.GRPC_GENERATE, Api.GRPC_EMBED)


OPERATIONS: Mapping[Api, str] = {
    Api.MESSAGES: "chat",
    Api.TOKENS: "text_completion",
    Api.GENERATE: "text_completion",
    Api.GRPC_GENERATE: "text_completion",
    Api.GRPC_EMBED: "embeddings",
    Api.PREDICT: "generate_content",
}

PATHS: Mapping[str, Api] = {
    "/v1/chat/completions": Api.CHAT,
    "/v1/completions": Api.COMPLETIONS,
    "/v1/embeddings": Api.EMBEDDINGS,
    "/v1/responses": Api.RESPONSES,
    "/v1/conversations": Api.CONVERSATIONS,
    "/v1/images/generations": Api.IMAGES,
    "/v1/moderations": Api.MODERATIONS,
    "/v1/rerank": Api.RERANK,
    "/v2/rerank": Api.RERANK,
    "/v1/score": Api.SCORE,
    "/v1/messages": Api.MESSAGES,
    "/v1/messages/count_tokens": Api.COUNT_TOKENS,
    "/v1/chat/completions/render": Api.CHAT_RENDER,
    "/v1/completions/render": Api.COMPLETIONS_RENDER,
    "/inference/v1/generate": Api.TOKENS,
    "/vllm.grpc.engine.VllmEngine/Generate": Api.GRPC_GENERATE,
    "/vllm.grpc.engine.VllmEngine/Embed": Api.GRPC_EMBED,
}
"""End of a path -> its API."""

WHOLE: Mapping[str, Api] = {
    "/generate": Api.GENERATE,
    "/tokenize": Api.TOKENIZE,
    "/detokenize": Api.DETOKENIZE,
    "/rerank": Api.RERANK,
    "/score": Api.SCORE,
}
"""Paths of model servers that name their API only as a whole: their ends are common words."""

PATH_OF: Mapping[Api, str] = {
    **{api: path for path, api in reversed([*PATHS.items(), *WHOLE.items()])},
    Api.PREDICT: ":predict",
    Api.GEMINI: ":generateContent",
}
"""API -> the first of its paths, as it stands in messages."""

KNOWN = ", ".join(tuple(PATHS)[:4])
"""The usual paths, for a message to someone who asked for another."""

_OPENAI: Mapping[str, Api] = {
    "chat/completions": Api.CHAT,
    "completions": Api.COMPLETIONS,
    "embeddings": Api.EMBEDDINGS,
    "responses": Api.RESPONSES,
    "images/generations": Api.IMAGES,
}
_SEGMENT = r"([^/:?#]{1,512})"
_DEPLOYMENT = re.compile(rf"/openai/deployments/{_SEGMENT}/([a-z/]{{1,32}})\Z")
# Source: Vertex AI, projects.locations.endpoints and projects.locations.publishers.models;
# `models/M:predict` is what TensorFlow Serving and Triton take too.
_ENDPOINT = re.compile(rf"/endpoints/{_SEGMENT}/([a-z/]{{1,32}})\Z")
_PREDICT = re.compile(rf"/(models|endpoints)/{_SEGMENT}:(predict|rawPredict|streamRawPredict)\Z")
# Source: Gemini API, models.generateContent; Vertex AI, publishers.models and endpoints.
_GEMINI = re.compile(
    rf"/(models|tunedModels|endpoints)/{_SEGMENT}:(generateContent|streamGenerateContent)\Z"
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says. *model* is the model it names, or empty.

    raw  the body may be of any API: its fields tell which
    """

    api: Api
    model: str = ""
    raw: bool = False
    streams: bool = False


_PLACES: Mapping[str, Place] = {path: Place(api) for path, api in (*PATHS.items(), *WHOLE.items())}


def place_of(path: str) -> Place | None:
    """Return what *path*, its query left out, says; None if it is no inference API's."""
    bare = path.partition("?")[0]
    place = _PLACES.get(bare)
    if place is not None:
        return place
    if ":" in bare or "/endpoints/" in bare or "/deployments/" in bare:
        found = _of_cloud(bare)
        if found is not None:
            return found
    return next((_PLACES[end] for end in PATHS if bare.endswith(end)), None)


def api_of(path: str) -> Api | None:
    """Return the API that *path* names: by its end, so that any prefix before `/v1/` fits."""
    place = place_of(path)
    return None if place is None else place.api


def _of_cloud(bare: str) -> Place | None:
    """Return what a path says that may name a model: Azure's and Vertex AI's."""
    deployed = _DEPLOYMENT.search(bare)
    if deployed is not None and deployed[2] in _OPENAI:
        return Place(_OPENAI[deployed[2]], unquote(deployed[1]))
    endpoint = _ENDPOINT.search(bare)
    if endpoint is not None and endpoint[2] in _OPENAI:
        # `openapi` is the endpoint of all models; any other is of one, which the body names.
        return Place(_OPENAI[endpoint[2]])
    generated = _GEMINI.search(bare)
    if generated is not None:
        model = "" if generated[1] == "endpoints" else unquote(generated[2])
        return Place(Api.GEMINI, model, streams=generated[3] == "streamGenerateContent")
    predicted = _PREDICT.search(bare)
    if predicted is None:
        return None
    # An endpoint's name is a number, not a model's: then the body names it, or nobody.
    model = unquote(predicted[2]) if predicted[1] == "models" else ""
    return Place(Api.PREDICT, model, predicted[3] != "predict", predicted[3] == "streamRawPredict")
