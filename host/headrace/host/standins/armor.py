"""A stand-in for Model Armor without its wires: templates, and what is sanitized by them."""

import re

import msgspec

from headrace.host.standins.armor_filters import Content, Json, sanitized
from headrace.host.standins.server import Refusal

TEMPLATES_MAX = 1_000
TEXT_TYPES = frozenset({"PLAINTEXT_UTF8", "TXT", "CSV"})
PARENT = re.compile(r"projects/[^/]+/locations/[^/]+")
NAME = re.compile(r"projects/[^/]+/locations/[^/]+/templates/[A-Za-z0-9_-]{1,63}")
ENABLED = {"filterEnforcement": "ENABLED"}
EVERYTHING: Json = {
    "raiSettings": {
        "raiFilters": [
            {"filterType": kind, "confidenceLevel": "MEDIUM_AND_ABOVE"}
            for kind in ("SEXUALLY_EXPLICIT", "HATE_SPEECH", "HARASSMENT", "DANGEROUS")
        ]
    },
    "sdpSettings": {"basicConfig": ENABLED},
    "piAndJailbreakFilterSettings": {**ENABLED, "confidenceLevel": "MEDIUM_AND_ABOVE"},
    "maliciousUriFilterSettings": ENABLED,
}


class Armor:
    """The templates of one stand-in, and what is asked of them. Mutable; one event loop.

    tokens  who may call: bearer tokens; empty: everybody
    """

    def __init__(self, tokens: frozenset[str] = frozenset()) -> None:
        self._tokens = tokens
        self._templates: dict[str, Json] = {}

    def admit(self, authorization: str) -> None:
        """Raise a Refusal unless the header *authorization* has a token that may call."""
        if self._tokens and authorization.removeprefix("Bearer ") not in self._tokens:
            raise Refusal(401, "the request has no valid authentication credentials")

    def put(self, name: str, template: Json | None = None) -> Json:
        """Keep *template* as *name*; without one, all filters are on."""
        if not NAME.fullmatch(name):
            raise Refusal(400, f"`{name}` is no name of a template")
        if name not in self._templates and len(self._templates) >= TEMPLATES_MAX:
            raise Refusal(429, f"a project has at most {TEMPLATES_MAX} templates")
        kept = {"filterConfig": EVERYTHING} if template is None else template
        self._templates[name] = {**kept, "name": name}
        return self._templates[name]

    def create(self, parent: str, template_id: str, template: Json) -> Json:
        """Keep a new template."""
        name = f"{parent}/templates/{template_id}"
        if not PARENT.fullmatch(parent) or not isinstance(template.get("filterConfig"), dict):
            raise Refusal(400, "a template needs a parent and a filterConfig")
        if name in self._templates:
            raise Refusal(409, f"the template `{name}` exists")
        return self.put(name, template)

    def get(self, name: str) -> Json:
        """Return the template *name*."""
        if name not in self._templates:
            raise Refusal(404, f"the template `{name}` was not found")
        return self._templates[name]

    def update(self, name: str, template: Json) -> Json:
        """Replace the fields of the template *name* that *template* has."""
        return self.put(name, {**self.get(name), **template})

    def delete(self, name: str) -> Json:
        """Forget the template *name*."""
        self.get(name)
        del self._templates[name]
        return {}

    def list(self, parent: str) -> Json:
        """Return the templates of *parent*."""
        start = f"{parent}/templates/"
        named = self._templates.items()
        return {"templates": [kept for name, kept in named if name.startswith(start)]}

    def sanitize(self, name: str, request: Json, of_prompt: bool, streamed: bool = False) -> Json:
        """Return the answer to a sanitize call by the template *name*.

        streamed  it is one chunk of a stream: the answer says which
        """
        template = self.get(name)
        item: object = request.get("userPromptData" if of_prompt else "modelResponseData")
        if item is None:
            raise Refusal(400, "the data to sanitize is missing")
        metadata = template.get("templateMetadata", {})
        content = _content(item)
        result = sanitized(template.get("filterConfig", {}), metadata, content, of_prompt)
        if streamed:
            result["sanitizationMetadata"]["streamChunkProcessed"] = item
        return {"sanitizationResult": result}


class _Bytes(msgspec.Struct, rename="camel"):
    byte_data_type: str = ""
    byte_data: bytes = b""  # base64 in JSON


class _Item(msgspec.Struct, rename="camel"):
    text: str | None = None
    byte_item: _Bytes | None = None


def _content(item: object) -> Content:
    """Return what a DataItem has to read."""
    read = msgspec.convert(item, _Item)
    if read.text is not None:
        return Content(read.text)
    if read.byte_item is None:
        raise Refusal(400, "a data item has a text or a byteItem")
    if read.byte_item.byte_data_type not in TEXT_TYPES:
        return Content(None)
    return Content(read.byte_item.byte_data.decode())
