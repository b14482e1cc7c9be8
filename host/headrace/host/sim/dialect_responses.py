"""How `/v1/responses` words an answer: typed events, and no `[DONE]`."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from headrace.host.sim.dialect import Answer, Identity


@dataclass(slots=True)
class Responses:
    """Words one answer. Written by the one exchange it belongs to: events are numbered."""

    identity: Identity
    sequence: int = 0

    def opening(self) -> bytes:
        """Return the events that announce the response, its message and its text."""
        response = self._response("in_progress")
        item = self._item("in_progress", [])
        return b"".join(
            (
                self._event("response.created", {"response": response}),
                self._event("response.in_progress", {"response": response}),
                self._event("response.output_item.added", {"output_index": 0, "item": item}),
                self._event("response.content_part.added", {**self._at(), "part": _part("")}),
            )
        )

    def token(self, encoded: bytes) -> bytes:
        """Return the event of one token, given its text as a JSON string."""
        delta = {**self._at(), "delta": msgspec.Raw(encoded)}
        return self._event("response.output_text.delta", delta)

    def closing(self, answer: Answer) -> bytes:
        """Return the events that complete the text, its message and the response."""
        part = _part(answer.text)
        item = self._item("completed", [part])
        kind = "incomplete" if answer.finish == "length" else "completed"
        return b"".join(
            (
                self._event("response.output_text.done", {**self._at(), "text": answer.text}),
                self._event("response.content_part.done", {**self._at(), "part": part}),
                self._event("response.output_item.done", {"output_index": 0, "item": item}),
                self._event(f"response.{kind}", {"response": self.whole(answer)}),
            )
        )

    def whole(self, answer: Answer) -> Mapping[str, object]:
        """Return the body of a response that is not streamed."""
        cut = answer.finish == "length"
        usage = answer.usage
        return {
            **self._response("incomplete" if cut else "completed"),
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [self._item("completed", [_part(answer.text)])],
            "usage": {
                "input_tokens": usage.prompt_tokens,
                "input_tokens_details": {"cached_tokens": usage.cached_tokens},
                "output_tokens": usage.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.prompt_tokens + usage.output_tokens,
            },
        }

    def _response(self, status: str) -> Mapping[str, object]:
        return {
            "id": f"resp_{self.identity.number}",
            "object": "response",
            "created_at": self.identity.created_unix_s,
            "model": self.identity.model,
            "status": status,
            "output": [],
        }

    def _item(self, status: str, content: list[Mapping[str, object]]) -> Mapping[str, object]:
        return {
            "id": f"msg_{self.identity.number}",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _at(self) -> Mapping[str, object]:
        return {"item_id": f"msg_{self.identity.number}", "output_index": 0, "content_index": 0}

    def _event(self, kind: str, members: Mapping[str, object]) -> bytes:
        body = msgspec.json.encode({"type": kind, "sequence_number": self.sequence, **members})
        self.sequence += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)


def _part(text: str) -> Mapping[str, object]:
    return {"type": "output_text", "text": text, "annotations": []}
