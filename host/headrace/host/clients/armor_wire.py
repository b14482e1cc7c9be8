"""Model Armor's messages in protobuf, as the JSON of its REST API; needs the extra `model-armor`.

Source: google.cloud.modelarmor.v1. The published client is used for its messages only: its
waits, retries and channels are not those of a gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

PACKAGE = "google.cloud.modelarmor_v1"
SERVICE = "google.cloud.modelarmor.v1.ModelArmor"
MESSAGES: Mapping[str, tuple[str, str]] = {
    "SanitizeUserPrompt": ("SanitizeUserPromptRequest", "SanitizeUserPromptResponse"),
    "SanitizeModelResponse": ("SanitizeModelResponseRequest", "SanitizeModelResponseResponse"),
    "StreamSanitizeUserPrompt": ("SanitizeUserPromptRequest", "SanitizeUserPromptResponse"),
    "StreamSanitizeModelResponse": (
        "SanitizeModelResponseRequest",
        "SanitizeModelResponseResponse",
    ),
    "GetTemplate": ("GetTemplateRequest", "Template"),
    "CreateTemplate": ("CreateTemplateRequest", "Template"),
    "ListTemplates": ("ListTemplatesRequest", "ListTemplatesResponse"),
}


class BadMessage(Exception):
    """Bytes or JSON that are no such message. Says nothing of what is in them."""


def installed() -> bool:
    """Return whether the messages can be had."""
    try:
        return find_spec(PACKAGE) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of message. *kind* is untyped on purpose: nothing of protobuf leaves here."""

    kind: Any

    def from_json(self, body: bytes) -> bytes:
        """Return the message that *body* is the JSON of. What is not known is left out.

        Raises:
            BadMessage: it is none.
        """
        try:
            read = _json_format().Parse(body, self.kind(), ignore_unknown_fields=True)
        except (_json_format().ParseError, UnicodeDecodeError) as error:
            raise BadMessage(f"no JSON of a {self.kind.DESCRIPTOR.name}") from error
        made: bytes = read.SerializeToString()
        return made

    def to_json(self, message: bytes) -> bytes:
        """Return *message* as JSON, its fields in camelCase, its enums by name.

        Raises:
            BadMessage: it is none.
        """
        try:
            read = self.kind.FromString(message)
            text: str = _json_format().MessageToJson(read, indent=None)
        except Exception as error:  # protobuf's DecodeError is not among its published names
            raise BadMessage(f"no {self.kind.DESCRIPTOR.name}") from error
        return text.encode()


@cache
def messages(method: str) -> tuple[Message, Message]:
    """Return what *method* is asked and what it answers. Imports the messages: 0.3 s, once."""
    types: Any = import_module(f"{PACKAGE}.types")
    asked, answered = (Message(getattr(types, name).pb()) for name in MESSAGES[method])
    return asked, answered


def _json_format() -> Any:
    return import_module("google.protobuf.json_format")
