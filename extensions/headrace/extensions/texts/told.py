"""Where the text is in answers and in the events of streams: data for `layout`.

They are read strictly: what no rule speaks of and is no safe name is judged as a text of its own.
Log probabilities and token ids, which repeat a text piece by piece, are passed by here; they
are taken out by `copies`.
"""

from collections.abc import Mapping

from headrace.extensions.apis import Api
from headrace.extensions.texts.layout import Either, Fields, Ids, Kinds, Leaves, Many, Rule, Text
from headrace.extensions.texts.layout import Safe as _Safe
from headrace.extensions.texts.values import Said

SAFE = _Safe()
PROSE = Text()
REFUSAL = Text(Said.REFUSAL)
THOUGHT = Text(Said.REASONING)
CALLED = Text(Said.TOOL_CALL)
CALLEE = Text(Said.TOOL_CALL, "name")
RESULT = Text(Said.TOOL_RESULT, "output")
QUOTED = Text(Said.PROSE, "quoted")  # titles and places of what an answer cites

# What every API answers if it cannot: OpenAI's form, vLLM's older one, FastAPI's.
ERROR = Either(
    PROSE,
    Fields({"message": PROSE, "code": SAFE, "param": SAFE, "reason": SAFE, "details": Leaves()}),
)
FAULT: Mapping[str, Rule] = {
    "error": ERROR,
    "message": PROSE,
    "detail": Leaves(),
    "code": SAFE,
    "param": SAFE,
}

# Chat and completions, whole and in chunks.
_PART = Fields({"text": PROSE, "refusal": REFUSAL, "annotations": QUOTED, "image_url": SAFE})
_FUNCTION = Fields({"name": CALLEE, "arguments": CALLED, "input": CALLED})
MESSAGE = Fields(
    {
        "content": Either(PROSE, Many(Either(PROSE, _PART), "part")),
        "refusal": REFUSAL,
        "reasoning": THOUGHT,
        "reasoning_content": Text(Said.REASONING, "reasoning_content"),
        "thinking": Text(Said.REASONING, "thinking"),
        "reasoning_details": Text(Said.REASONING, "reasoning_details"),
        "tool_calls": Many(Fields({"function": _FUNCTION, "custom": _FUNCTION}), "item", "index"),
        "function_call": _FUNCTION,
        "annotations": QUOTED,
        "audio": Fields({"transcript": Text(Said.PROSE, "transcript"), "data": SAFE}),
    }
)
_CHOICE = Fields(
    {"message": MESSAGE, "delta": MESSAGE, "text": PROSE, "content_filter_results": SAFE}
)
CHAT = Fields({"choices": Many(_CHOICE, "choice", "index"), "prompt_filter_results": SAFE, **FAULT})

# Responses: items, whole responses that echo what was asked, and events by their type.
_PROSE_PART = Fields(
    {"text": PROSE, "refusal": REFUSAL, "annotations": QUOTED, "transcript": PROSE}
)
_THOUGHT_PART = Fields({"text": THOUGHT})
PART = Kinds({"reasoning_text": _THOUGHT_PART, "summary_text": _THOUGHT_PART}, _PROSE_PART)
_CALL: Mapping[str, Rule] = {
    "name": CALLEE,
    "server_label": SAFE,
    "arguments": CALLED,
    "input": CALLED,
    "action": CALLED,
    "code": CALLED,
    "queries": CALLED,
    "output": RESULT,
    "outputs": RESULT,
    "results": RESULT,
    "tools": Text(Said.TOOLS),
    "result": SAFE,  # a picture in base64
}
ITEM = Fields(
    {
        "content": Either(PROSE, Many(PART, "part")),
        "summary": Many(_THOUGHT_PART, "summary"),
        **_CALL,
        "error": ERROR,
    }
)
_ECHOED = (
    "instructions", "tools", "tool_choice", "metadata", "text", "reasoning", "prompt", "user",
    "truncation", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "conversation",
    "input", "input_messages", "include", "output_messages",
)  # fmt: skip
RESPONSE = Fields({"output": Many(ITEM, "item"), **dict.fromkeys(_ECHOED, SAFE), **FAULT})
_PLACE = ("output_index", "content_index")
_SUMMARY = ("output_index", "summary_index")


def _piece(rule: Rule, whole: str, indexes: tuple[str, ...] = _PLACE) -> tuple[Fields, Fields]:
    """Return the rules of an event that adds to a text, and of the one that repeats it whole."""
    adds = Fields({"delta": rule}, indexes=indexes)
    return adds, Fields({whole: rule, "name": CALLEE}, indexes=indexes, repeats=True)


def _pairs(names: Mapping[str, tuple[Fields, Fields]]) -> dict[str, Rule]:
    ends = ("delta", "done")
    return {
        f"response.{n}.{end}": r
        for n, two in names.items()
        for end, r in zip(ends, two, strict=True)
    }


_WHOLE = Fields({"response": RESPONSE}, repeats=True)
_WHOLE_EVENTS = ("created", "queued", "in_progress", "completed", "incomplete", "failed")
RESPONSE_EVENTS: Mapping[str, Rule] = {
    **_pairs(
        {
            "output_text": _piece(PROSE, "text"),
            "refusal": _piece(REFUSAL, "refusal"),
            "reasoning_text": _piece(THOUGHT, "text"),
            "reasoning_summary_text": _piece(THOUGHT, "text", _SUMMARY),
            "function_call_arguments": _piece(CALLED, "arguments"),
            "mcp_call_arguments": _piece(CALLED, "arguments"),
            "custom_tool_call_input": _piece(CALLED, "input"),
            "code_interpreter_call_code": _piece(CALLED, "code"),
            "audio.transcript": _piece(Text(Said.PROSE, "transcript"), "transcript"),
            "audio": _piece(SAFE, "data"),
        }
    ),
    **{f"response.{name}": _WHOLE for name in _WHOLE_EVENTS},
    "response.output_item.added": Fields({"item": ITEM}, indexes=_PLACE, repeats=True),
    "response.output_item.done": Fields({"item": ITEM}, indexes=_PLACE, repeats=True),
    "response.content_part.added": Fields({"part": PART}, indexes=_PLACE, repeats=True),
    "response.content_part.done": Fields({"part": PART}, indexes=_PLACE, repeats=True),
    "response.reasoning_part.added": Fields({"part": PART}, indexes=_PLACE, repeats=True),
    "response.reasoning_part.done": Fields({"part": PART}, indexes=_PLACE, repeats=True),
    "response.reasoning_summary_part.added": Fields({"part": PART}, indexes=_SUMMARY, repeats=True),
    "response.reasoning_summary_part.done": Fields({"part": PART}, indexes=_SUMMARY, repeats=True),
    "response.output_text.annotation.added": Fields({"annotation": QUOTED}, indexes=_PLACE),
    "response.image_generation_call.partial_image": Fields(
        dict.fromkeys(("partial_image_b64", "size", "quality", "background", "output_format"), SAFE)
    ),
}

# Anthropic. An event's block or delta belongs to the block of its `index`.
BLOCK = Fields(
    {
        "text": PROSE,
        "thinking": THOUGHT,
        "name": CALLEE,
        "server_name": SAFE,
        "input": CALLED,
        "partial_json": CALLED,
        "content": RESULT,
        "citations": QUOTED,
        "citation": QUOTED,
        "data": SAFE,  # thoughts that are encrypted
        "caller": SAFE,
    }
)
MESSAGES = Fields(
    {"content": Many(BLOCK, "item"), "stop_details": SAFE, "context_management": SAFE, **FAULT}
)
_IN_BLOCK = ("index",)
MESSAGE_EVENTS: Mapping[str, Rule] = {
    "message_start": Fields({"message": MESSAGES}),
    "content_block_start": Fields({"content_block": BLOCK}, indexes=_IN_BLOCK),
    "content_block_delta": Fields({"delta": BLOCK}, indexes=_IN_BLOCK),
    "content_block_stop": Fields({}),
    "message_delta": Fields({"delta": Fields({"stop_details": SAFE}), "context_management": SAFE}),
    "message_stop": Fields({}),
    "ping": Fields({}),
    "error": Fields(FAULT),
}

# Gemini. Of a candidate's parts only their kind tells one text from another: a stream numbers
# them anew in each event.
_GEMINI_CALL = Fields(
    {
        "name": CALLEE,
        "args": CALLED,
        "partialArgs": Many(
            Fields({"stringValue": CALLED, "jsonPath": Text(Said.TOOL_CALL, "jsonPath")})
        ),
    }
)
_GEMINI_PART = Fields(
    {
        "text": PROSE,
        "thoughtSignature": SAFE,
        "functionCall": _GEMINI_CALL,
        "functionResponse": Fields({"name": CALLEE, "response": RESULT}),
        "executableCode": Fields({"code": CALLED, "language": SAFE}),
        "codeExecutionResult": Fields({"output": RESULT, "outcome": SAFE}),
        "inlineData": Fields({"data": SAFE, "mimeType": SAFE, "displayName": QUOTED}),
    }
)
_CANDIDATE = Fields(
    {
        "content": Fields({"parts": Many(_GEMINI_PART)}),
        "finishReason": SAFE,
        "finishMessage": Text(Said.PROSE, "finishMessage"),
        "safetyRatings": SAFE,
        "logprobsResult": SAFE,
        "citationMetadata": QUOTED,
        "groundingMetadata": QUOTED,
        "urlContextMetadata": QUOTED,
    }
)
GEMINI = Fields(
    {
        "candidates": Many(_CANDIDATE, "choice", "index"),
        "promptFeedback": Fields({"blockReason": SAFE, "safetyRatings": SAFE}),
        "usageMetadata": SAFE,
        "responseId": SAFE,
        "createTime": SAFE,
        "error": Fields(
            {"message": PROSE, "code": SAFE, "status": SAFE, "details": Leaves()},
        ),
        **{name: rule for name, rule in FAULT.items() if name != "error"},
    }
)

# Engines of their own. What vLLM and SGLang answer at /generate is told apart by its form.
_GENERATED: Mapping[str, Rule] = {
    "text": Either(PROSE, Many(PROSE, "choice")),
    "meta_info": SAFE,
    **FAULT,
}
TOKENS = Fields({"choices": Many(Fields({"token_ids": Ids()}), "choice", "index"), **FAULT})
_RANKED = Fields({"document": Either(PROSE, Leaves())})
_PICTURE = Fields({"revised_prompt": PROSE, "url": SAFE, "b64_json": SAFE})
_PICTURES = dict.fromkeys(("background", "output_format", "quality", "size"), SAFE)

ANSWERS: Mapping[Api, Rule] = {
    Api.CHAT: CHAT,
    Api.COMPLETIONS: CHAT,
    Api.EMBEDDINGS: Fields({"data": SAFE, **FAULT}),
    Api.RESPONSES: RESPONSE,
    Api.CONVERSATIONS: Fields(
        {"metadata": SAFE, "data": Many(ITEM, "item"), "items": Many(ITEM, "item"), **FAULT}
    ),
    Api.IMAGES: Fields({"data": Many(_PICTURE, "choice"), **_PICTURES, **FAULT}),
    Api.MODERATIONS: Fields({"results": SAFE, **FAULT}),
    Api.RERANK: Fields({"results": Many(_RANKED, "choice", "index"), "meta": SAFE, **FAULT}),
    Api.SCORE: Fields({"data": SAFE, **FAULT}),
    Api.MESSAGES: MESSAGES,
    Api.COUNT_TOKENS: Fields({"context_management": SAFE, **FAULT}),
    Api.CHAT_RENDER: Leaves(),
    Api.COMPLETIONS_RENDER: Leaves(),
    Api.TOKENS: TOKENS,
    Api.TOKENIZE: Fields({"token_strs": Leaves(), **FAULT}),
    Api.DETOKENIZE: Fields({"prompt": PROSE, "text": Leaves(), **FAULT}),
    Api.PREDICT: Fields({"predictions": Leaves(), "metadata": Leaves(), **FAULT}),
    Api.GEMINI: GEMINI,
}
"""API -> where the text of a whole answer is; /generate, which answers lists too, is apart."""

EVENTS: Mapping[Api, Rule] = {
    Api.CHAT: CHAT,
    Api.COMPLETIONS: CHAT,
    Api.RESPONSES: Kinds(RESPONSE_EVENTS, Fields(FAULT)),
    Api.MESSAGES: Kinds(MESSAGE_EVENTS, Fields({})),
    Api.IMAGES: Fields({"b64_json": SAFE, **_PICTURES, **FAULT}),
    Api.TOKENS: TOKENS,
    Api.GEMINI: GEMINI,
    Api.GENERATE: Fields(_GENERATED, repeats=True),
}
"""API -> where the text of one event of its streams is. The others have no streams."""

GENERATED = Fields(_GENERATED)
GENERATED_MANY = Many(GENERATED, "choice")
"""What SGLang answers to a list of prompts."""
