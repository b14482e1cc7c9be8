"""Token counts in answers: where model servers put them."""

import msgspec

from headrace.extensions.records import Usage


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Counts(msgspec.Struct):
    """Chat and completions say prompt and completion; responses say input and output."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Metadata(msgspec.Struct):
    """Gemini's. It counts thoughts beside the candidates."""

    promptTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    thoughtsTokenCount: int | None = None

    @property
    def usage(self) -> Usage:
        """The counts in our words."""
        thoughts = self.thoughtsTokenCount
        written = (self.candidatesTokenCount or 0) + (thoughts or 0)
        return Usage(self.promptTokenCount or 0, written, self.cachedContentTokenCount, thoughts)


class _Inner(msgspec.Struct):
    usage: _Counts | None = None


class _Answer(msgspec.Struct):
    """A whole answer or one event; the responses API wraps its last one."""

    usage: _Counts | None = None
    response: _Inner | None = None
    usageMetadata: _Metadata | None = None


_DECODER = msgspec.json.Decoder(_Answer)
MARK = b'"usage'


def usage_in(data: bytes) -> Usage | None:
    """Return the counts that *data*, one JSON document, has; None if none or if it is not JSON."""
    if MARK not in data:
        return None
    try:
        answer = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if answer.usageMetadata is not None:
        return answer.usageMetadata.usage
    counts = answer.usage or (answer.response.usage if answer.response else None)
    if counts is None:
        return None
    read = counts.prompt_tokens_details or counts.input_tokens_details or _Details()
    written = counts.completion_tokens_details or counts.output_tokens_details or _Details()
    return Usage(
        counts.prompt_tokens or counts.input_tokens or 0,
        counts.completion_tokens or counts.output_tokens or 0,
        read.cached_tokens,
        written.reasoning_tokens,
    )
