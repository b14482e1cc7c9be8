"""Private keys in PEM, and JSON web tokens."""

import binascii
from base64 import urlsafe_b64decode

import msgspec

from headrace.extensions.safety.detectors.detector import Detector
from headrace.extensions.safety.shape import chars, either, many, maybe, then, word

PEM_CHARS_MAX = 16 << 10  # an RSA key of 16,384 bits has 12,700
TOKEN_CHARS_MAX = 8 << 10  # what servers take as a header
SIGNATURE_CHARS_MIN = 16

_BREAK = either(chars("\\s", 1, 1), word("\\n"), word("\\r"))  # also as they are written in JSON
_BEGIN = then(
    word("-----BEGIN "),
    chars("[0-9A-Z ]", 0),
    word("PRIVATE KEY"),
    maybe(word(" BLOCK")),
    word("-----"),
)
_HEADER = then(chars("[A-Za-z\\-]", 3, 24), word(": "), chars("[^\\n\\\\]", 0))
_LINE = chars("[0-9A-Za-z+/=]", 16)
_END = then(
    many(_BREAK),
    chars("[0-9A-Za-z+/=]", 0, 15),
    many(_BREAK),
    maybe(then(word("="), chars("[0-9A-Za-z+/]", 4, 4), many(_BREAK))),
    word("-----END "),
    chars("[0-9A-Z ]", 0),
    word("PRIVATE KEY"),
    maybe(word(" BLOCK")),
    word("-----"),
)
_PEM = then(
    _BEGIN,
    many(either(_BREAK, then(_HEADER, _BREAK))),
    _LINE,
    many(then(many(_BREAK, 1), _LINE)),
    maybe(_END),
)
_PART = "[0-9A-Za-z_\\-]"
_JWT = then(
    word("eyJ"),
    chars(_PART, 5),
    many(then(word("."), chars(_PART, 2)), 1, 1),
    word("."),
    chars(_PART, 0),
    many(then(word("."), chars(_PART, 2)), 0, 2),
)
_PART_BYTES = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")


class _Header(msgspec.Struct):
    alg: str


def _check_pem(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    return start, min(end, start + PEM_CHARS_MAX)


def _check_jwt(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    head, _, signature, *_ = data[start:end].split(b".")
    is_cut = start > 0 and data[start - 1] in _PART_BYTES
    if is_cut or end - start > TOKEN_CHARS_MAX:
        return start + len(head)
    algorithm = _algorithm(head)
    if algorithm is None or (len(signature) < SIGNATURE_CHARS_MIN and algorithm != "none"):
        return start + len(head)
    return start, end - (0 if signature else 1)


def _algorithm(head: bytes) -> str | None:
    """Return what signs the token whose first part is *head*; None: it is of no token."""
    try:
        data = urlsafe_b64decode(head + b"=" * (-len(head) % 4))
        return msgspec.json.decode(data, type=_Header).alg.lower()
    except (msgspec.DecodeError, binascii.Error, RecursionError):
        return None


PRIVATE_KEY = Detector("private_key", _PEM, _check_pem, PEM_CHARS_MAX, edge="")
JWT = Detector("jwt", _JWT, _check_jwt, TOKEN_CHARS_MAX)
