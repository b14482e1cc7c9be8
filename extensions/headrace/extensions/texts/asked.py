"""Where the text is in requests, API by API: data for `layout`, which reads it leniently.

The order of the fields here is the order of the texts. `call` reads the four usual APIs
by types of its own, which is faster; a property test holds that both say the same.
"""

import re
from collections.abc import Mapping

from headrace.extensions.apis import Api
from headrace.extensions.texts.layout import (
    Blob,
    Either,
    Fields,
    Kinds,
    Leaves,
    Many,
    OneOrMany,
    Rule,
    Safe,
    Text,
)
from headrace.extensions.texts.values import Said

PROSE = Text()
CALLED = Text(Said.TOOL_CALL, role="tool")
CALLEE = Text(Said.TOOL_CALL, "name", role="tool")
RESULT = Text(Said.TOOL_RESULT, role="tool")
THOUGHT = Text(Said.REASONING, role="assistant")
TOOLS = Text(Said.TOOLS, role="tools")
SYSTEM = Text(Said.SYSTEM, role="system")

PART = Fields({"text": PROSE, "refusal": Text(Said.REFUSAL), "thinking": THOUGHT})
PARTS = Many(Either(PROSE, PART))
CONTENT = Either(PROSE, PARTS)
FUNCTION = Fields({"name": CALLEE, "arguments": CALLED, "input": CALLED})
TOOL_CALLS = Many(Fields({"function": FUNCTION, "custom": FUNCTION}))
RESULTS = Either(RESULT, PARTS, role="tool")
THOUGHTS = Many(Fields({"text": THOUGHT}))

# Fields of a message that stand as they came until they are read: the reader of calls takes
# their rules from here.
MESSAGE_RAWS: Mapping[str, Rule] = {
    "tool_calls": TOOL_CALLS,
    "function_call": FUNCTION,
    "reasoning": THOUGHT,
    "reasoning_content": Text(Said.REASONING, "reasoning_content", role="assistant"),
    "refusal": Text(Said.REFUSAL, role="assistant"),
    # Some templates put it before the content.
    "name": Text(field="name"),
    "tools": TOOLS,  # of a developer, as vLLM takes them
}
ITEM_RAWS: Mapping[str, Rule] = {
    "name": CALLEE,
    "arguments": CALLED,
    "input": CALLED,
    "action": CALLED,
    "code": CALLED,
    "queries": CALLED,
    "output": RESULTS,
    "outputs": RESULTS,
    "results": RESULTS,
    "summary": THOUGHTS,
    "tool_calls": TOOL_CALLS,
    "function_call": FUNCTION,
}
CHAT_RAWS: Mapping[str, Rule] = {
    "tools": TOOLS,
    "functions": TOOLS,
    "chat_template": SYSTEM,
    "chat_template_kwargs": Leaves(Said.SYSTEM),
    "documents": Text(Said.TOOL_RESULT, role="tool"),
    "response_format": TOOLS,
}
# What bounds an answer, or is compared with it: no part of the prompt, and yet words that the
# model is made to say. Source: vLLM, "Structured Outputs"; SGLang, "Sampling Parameters".
BOUNDS: Mapping[str, Rule] = {
    "structured_outputs": TOOLS,
    "guided_json": TOOLS,
    "guided_regex": TOOLS,
    "guided_choice": TOOLS,
    "guided_grammar": TOOLS,
    "json_schema": TOOLS,
    "regex": TOOLS,
    "ebnf": TOOLS,
}
CHAT_ENDS: Mapping[str, Rule] = {
    "prediction": Fields({"content": CONTENT}),
    "web_search_options": TOOLS,
    **BOUNDS,
}
RESPONSE_RAWS: Mapping[str, Rule] = {"tools": TOOLS}
RESPONSE_ENDS: Mapping[str, Rule] = {"text": TOOLS, **BOUNDS}

MESSAGE = Fields({"content": CONTENT, "text": PROSE, **MESSAGE_RAWS})
ITEM = Fields({"content": CONTENT, "text": PROSE, **ITEM_RAWS})
MESSAGES = Many(MESSAGE, "turn")
ITEMS = Many(Either(PROSE, ITEM), "turn")
PROMPT = Either(PROSE, Many(Either(PROSE, Safe()), "turn"))

# Source: Anthropic API, "Messages". What a block has beside these is no text, or a copy.
_PLAIN: Mapping[str, Rule] = {"text": Fields({"data": PROSE})}
_WITHIN: Mapping[str, Rule] = {
    "text": PROSE,
    "title": PROSE,
    "context": PROSE,
    "stdout": PROSE,
    "stderr": PROSE,
}
_DEEPEST = Fields({**_WITHIN, "source": Kinds(_PLAIN, Blob())})
_DEEPER = Either(PROSE, Many(Either(PROSE, _DEEPEST)))
_INNER_SOURCE = Kinds({**_PLAIN, "content": Fields({"content": _DEEPER})}, Blob())
_INNER = Fields({**_WITHIN, "source": _INNER_SOURCE, "content": _DEEPER})
_INNERS = Either(PROSE, Many(Either(PROSE, _INNER)))
_SOURCE = Kinds({**_PLAIN, "content": Fields({"content": _INNERS})}, Blob())
BLOCK = Fields(
    {
        "text": PROSE,
        "thinking": THOUGHT,
        "name": CALLEE,
        "input": CALLED,
        "title": PROSE,
        "context": PROSE,
        "source": _SOURCE,
        "content": Either(RESULT, Many(Either(RESULT, _INNER)), role="tool"),
    }
)
BLOCKS = Either(PROSE, Many(Either(PROSE, BLOCK)))
ANTHROPIC = Fields(
    {
        "tools": TOOLS,
        "system": Either(SYSTEM, Many(Either(SYSTEM, Fields({"text": SYSTEM}))), role="system"),
        "messages": Many(Fields({"content": BLOCKS}), "turn"),
    }
)

CHAT = Fields({**CHAT_RAWS, "messages": MESSAGES, **CHAT_ENDS})
COMPLETION = Fields({"prompt": PROMPT, "suffix": PROSE, **BOUNDS})
SAMPLING = OneOrMany(Fields(BOUNDS))
SOME = Either(PROSE, Many(Either(PROSE, PART), "turn"))


def _spelt(names: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return *names* in both spellings that JSON of protobuf may have: fooBar and foo_bar."""
    snakes = {re.sub("[A-Z]", lambda m: "_" + m[0].lower(), n): r for n, r in names.items()}
    return {**names, **snakes}


# Source: Gemini API, "Content" and "GenerationConfig"; ProtoJSON for the names.
_GEMINI_PART = Fields(
    _spelt(
        {
            "text": PROSE,
            "functionCall": Fields({"name": CALLEE, "args": CALLED}),
            "functionResponse": Fields({"name": CALLEE, "response": RESULT, "parts": Many(Blob())}),
            "executableCode": Fields({"code": CALLED}),
            "codeExecutionResult": Fields({"output": RESULT}),
            "inlineData": Blob(),
            "fileData": Blob(),
        }
    )
)
_GEMINI_PARTS = OneOrMany(Either(PROSE, _GEMINI_PART))
_GEMINI_SCHEMAS = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")
_GEMINI_BOUNDS = Fields(_spelt(dict.fromkeys(_GEMINI_SCHEMAS, TOOLS)))
_GEMINI_SYSTEM = Fields({"parts": OneOrMany(Either(SYSTEM, Fields({"text": SYSTEM})))})
GEMINI = Fields(
    {
        "tools": TOOLS,
        **_spelt({"systemInstruction": Either(SYSTEM, _GEMINI_SYSTEM)}),
        "contents": Either(PROSE, OneOrMany(Fields({"parts": _GEMINI_PARTS}), "turn")),
        **_spelt({"generationConfig": _GEMINI_BOUNDS}),
    }
)

LAYOUTS: Mapping[Api, Rule] = {
    Api.CHAT: CHAT,
    Api.COMPLETIONS: COMPLETION,
    Api.EMBEDDINGS: Fields({"input": PROMPT, "messages": MESSAGES}),
    Api.RESPONSES: Fields(
        {
            **RESPONSE_RAWS,
            "instructions": SYSTEM,
            "prompt": SYSTEM,
            "input": Either(PROSE, ITEMS),
            **RESPONSE_ENDS,
        }
    ),
    Api.CONVERSATIONS: Fields({"items": ITEMS}),
    Api.IMAGES: Fields({"prompt": PROSE}),
    Api.MODERATIONS: Fields({"input": SOME}),
    Api.RERANK: Fields({"query": PROSE, "documents": SOME}),
    Api.SCORE: Fields(dict.fromkeys(("text_1", "text_2", "queries", "documents"), SOME)),
    Api.MESSAGES: ANTHROPIC,
    Api.COUNT_TOKENS: ANTHROPIC,
    Api.CHAT_RENDER: CHAT,
    Api.COMPLETIONS_RENDER: COMPLETION,
    Api.TOKENS: Fields({}),
    Api.GENERATE: Fields({"prompt": PROMPT, "text": PROMPT, "sampling_params": SAMPLING}),
    Api.TOKENIZE: Fields({**CHAT_RAWS, "prompt": PROSE, "messages": MESSAGES}),
    Api.DETOKENIZE: Fields({}),
    Api.PREDICT: Fields({"instances": Leaves(), "parameters": Leaves()}),
    Api.GEMINI: GEMINI,
}
"""API -> where the text of its requests is. gRPC has none: its messages are no JSON."""
