"""Decisions as JSON."""

import json

import msgspec


def encoded(value: object) -> bytes:
    """Return *value* as JSON, also with text in it that was no UTF-8 when it came."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value)).encode()
