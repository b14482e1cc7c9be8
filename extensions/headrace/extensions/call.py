"""An inference request body as an API call: parsed once per exchange, seen by every stage.

Owns what JSON leaves open: a byte order mark, NaN, Infinity and anything behind the object
are malformed; a top-level field that is read here must not be given twice, since the model
server might take the other one; of any other doubled key the last counts. What the fields
of each API mean is in `readers`. Reads bytes, never sends any.
"""

from collections.abc import Mapping

import msgspec

from headrace.extensions.apis import KNOWN, Place, place_of
from headrace.extensions.apis import Api as Api
from headrace.extensions.apis import api_of as api_of
from headrace.extensions.called import TOKEN_BYTES as TOKEN_BYTES
from headrace.extensions.called import Call as Call
from headrace.extensions.called import CallFault as CallFault
from headrace.extensions.called import is_name as is_name
from headrace.extensions.called import shown as shown
from headrace.extensions.charsets import foreign_charset
from headrace.extensions.prose import Media as Media
from headrace.extensions.prose import Text as Text
from headrace.extensions.readers import NAMELESS, Asking, read_call, read_grpc
from headrace.extensions.reasons import Reason
from headrace.extensions.shapes import is_deeper
from headrace.extensions.texts.values import Unreadable


def parse_call(path: str, content_type: str, body: bytes, depth_max: int = 64) -> Call | CallFault:
    """Return what *body* asks for, or why it cannot be told. Raises nothing, takes linear time.

    Without a *path*, which only a peer other than Envoy leaves out, its fields tell the API.
    """
    place = place_of(path)
    if place is None and path:
        message = f"no inference API at path `{shown(path)}`; known: {KNOWN}"
        return CallFault(Reason.UNKNOWN_PATH, message)
    if place is not None and place.api.grpc:
        return read_grpc(place.api, content_type, body)
    fault = _unreadable(content_type, body, depth_max)
    if fault is not None:
        return fault
    try:
        asking = _asking(place, body)
        if isinstance(asking, CallFault):
            return asking
        return read_call(asking)
    except Unreadable as error:
        return CallFault(Reason.MALFORMED_JSON, f"the body cannot be read: {error.detail}")
    except (msgspec.DecodeError, RecursionError) as error:
        return _explain(body, error, place)


def _asking(place: Place | None, body: bytes) -> Asking | CallFault:
    """Return what to read *body* as. Raises msgspec.DecodeError if it is no JSON object."""
    if place is not None and not place.raw:
        return Asking(place.api, body, place.model, place.streams)
    api = _likely(body, raw=place is not None)
    if api is None:
        fields = ", ".join(f"`{name}`" for name in _TELLING)
        message = f"the body has none of {fields}, so its API cannot be told"
        return CallFault(Reason.INVALID_REQUEST, message)
    return Asking(api, body) if place is None else Asking(api, body, place.model, place.streams)


_TELLING: Mapping[str, Api] = {
    "anthropic_version": Api.MESSAGES,
    "messages": Api.CHAT,
    "input": Api.RESPONSES,
    "instances": Api.PREDICT,
    "prompt": Api.COMPLETIONS,
}


def _likely(body: bytes, raw: bool) -> Api | None:
    """Return the API that the top-level fields of *body* are of.

    Raises:
        msgspec.DecodeError: *body* is no JSON object.
    """
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    usual = None if raw else Api.COMPLETIONS
    return next((api for name, api in _TELLING.items() if name in fields), usual)


def _unreadable(content_type: str, body: bytes, depth_max: int) -> CallFault | None:
    """Return what is wrong with *body* before it is looked into."""
    if content_type not in ("application/json", "") and not _is_json(content_type):
        media = content_type.partition(";")[0].strip()
        message = f"content type `{shown(media)}` is not understood; send `application/json`"
        return CallFault(Reason.UNSUPPORTED_MEDIA_TYPE, message)
    charset = foreign_charset(content_type) if ";" in content_type else ""
    if charset:
        message = f"charset `{shown(charset)}` is not understood; send UTF-8"
        return CallFault(Reason.UNSUPPORTED_MEDIA_TYPE, message)
    if not body or body.isspace():
        return CallFault(Reason.MALFORMED_JSON, "the body is empty; send a JSON object")
    if body.startswith(b"\xef\xbb\xbf"):
        message = "the body begins with a byte order mark; send UTF-8 without one"
        return CallFault(Reason.MALFORMED_JSON, message)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            message = f"the body is not UTF-8: bad byte at offset {error.start}"
            return CallFault(Reason.INVALID_UTF8, message)
    if is_deeper(body, depth_max):
        message = f"the body nests deeper than {depth_max} levels; flatten it"
        return CallFault(Reason.JSON_TOO_DEEP, message)
    return None


def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    if media in ("", "application/json"):
        return True
    return media.startswith("application/") and media.endswith("+json")


def _explain(body: bytes, error: Exception, place: Place | None) -> CallFault:
    """Return the fault that *error* is, malformed JSON before a wrong model before the rest."""
    if isinstance(error, RecursionError):
        return CallFault(Reason.JSON_TOO_DEEP, "the body nests too deeply; flatten it")
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return CallFault(Reason.INVALID_REQUEST, "the body must be a JSON object")
    except msgspec.DecodeError as malformed:
        # The decoder names bytes by offset and never quotes the body.
        where = str(malformed).removeprefix("JSON is malformed: ").lower()
        return CallFault(Reason.MALFORMED_JSON, f"the body is malformed JSON: {where}")
    model = _named(fields.get("model"), place)
    if isinstance(model, CallFault):
        return model
    what, _, where = str(error).partition(" - at `$.")
    param = where.rstrip("`") or None
    problem = f"{what[:1].lower()}{what[1:]}".replace(" | null", "")
    message = f"`{param}`: {problem}" if param else problem
    name = model if is_name(model) else ""
    return CallFault(Reason.INVALID_REQUEST, message, param, name)


def _named(raw: msgspec.Raw | None, place: Place | None) -> str | CallFault:
    """Return the model of a body that is wrong in something else, as far as it can be told."""
    if place is not None and place.model:
        return place.model
    nameless = place is not None and place.api in NAMELESS
    if raw is None or (nameless and bytes(raw) == b"null"):
        if nameless:
            return ""
        return CallFault(Reason.MISSING_MODEL, "`model` is missing; name one", "model")
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError:
        return CallFault(Reason.INVALID_MODEL, "`model` must be a string", "model")
