"""Addresses: of e-mail, and of the Internet Protocol."""

import string
from ipaddress import IPv6Address, ip_address

from headrace.extensions.safety.detectors.detector import Detector, is_word, run_end
from headrace.extensions.safety.shape import chars, either, many, then, word

LOCAL_CHARS_MAX = 64  # RFC 5321, section 4.5.3.1
DOMAIN_CHARS_MAX = 255
LABEL_CHARS_MAX = 63
_LETTER = "A-Za-z0-9\\xe0"
_LOCAL = f"[{_LETTER}._%+'~\\-]"
_DOMAIN = f"[{_LETTER}.\\-]"
IP_CHARS_MAX = 45  # of IPv6 with IPv4 at its end

_LOCAL_BYTES = (string.ascii_letters + string.digits + "\xe0._%+'~-").encode("latin-1")
_DOMAIN_BYTES = (string.ascii_letters + string.digits + "\xe0.-").encode("latin-1")
_LOCALS = frozenset(bytes((byte,)) for byte in _LOCAL_BYTES)
_EMAIL = then(chars(_LOCAL), word("@"), chars(_DOMAIN, 1, 1))
_V4 = then(chars("[0-9]", 1, 3), many(then(word("."), chars("[0-9]", 1, 3)), 3, 3))
_V6 = then(
    chars("[0-9A-Fa-f]", 0, 4),
    word(":"),
    chars("[0-9A-Fa-f]", 0, 4),
    word(":"),
    chars("[0-9A-Fa-f:.]", 0),
)


def _check_email(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    at = end - 2
    if at - start > LOCAL_CHARS_MAX or data[start - 1 : start] in _LOCALS:
        return at + 1
    begins = start + _quotes(data[start:at])
    domain = data[at + 1 : run_end(data, at + 1, _DOMAIN_BYTES, DOMAIN_CHARS_MAX)]
    length = _domain_length(domain)
    return (begins, at + 1 + length) if begins < at and length else at + 1


def _quotes(local: bytes) -> int:
    """Return how many characters before the name are of the sentence round it."""
    return len(local) - len(local.lstrip(b"'.-~%+"))


def _domain_length(domain: bytes) -> int:
    """Return how much of *domain* is a name of two labels or more; 0: it is none."""
    labels: list[bytes] = []
    for label in domain.split(b"."):
        bare = label.rstrip(b"-")
        if not 0 < len(bare) <= LABEL_CHARS_MAX or label.startswith(b"-"):
            break
        labels.append(bare)
        if bare != label:
            break
    while labels and not _is_top(labels[-1]):
        labels.pop()  # the next sentence, where nobody put a space
    return len(b".".join(labels)) if len(labels) > 1 else 0


def _is_top(label: bytes) -> bool:
    return len(label) > 1 and not label[:1].isdigit()


def _check_ip(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    if b":" in data[start:end]:
        return _check_v6(data, start, end)
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    is_longer = (
        is_word(before[-1:])
        or is_word(after[:1])
        or (before[1:] == b"." and before[:1].isdigit())
        or (after[:1] == b"." and after[1:].isdigit())
    )
    return (start, end) if not is_longer and _is_ip(data[start:end]) else start + 1


def _check_v6(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    if is_word(data[start - 1 : start]) or is_word(data[end : end + 1]):
        return end
    text = data[start:end].rstrip(b".")
    if text.endswith(b":") and not text.endswith(b"::"):
        text = text[:-1]
    has_digit = any(48 <= byte <= 57 for byte in text)  # `a::b` is of a program, not of a network
    return (start, start + len(text)) if has_digit and _is_ip(text) else end


def _is_ip(text: bytes) -> bool:
    if len(text) > IP_CHARS_MAX:
        return False
    try:
        address = ip_address(text.decode())
    except ValueError:
        return False
    return not isinstance(address, IPv6Address) or address.packed != bytes(16)


EMAIL = Detector(
    "email",
    _EMAIL,
    _check_email,
    LOCAL_CHARS_MAX + 1 + DOMAIN_CHARS_MAX,
    edge="",
    after=f"{_DOMAIN}*",
)
IP = Detector("ip", either(_V6, _V4), _check_ip, IP_CHARS_MAX + 3, edge="", after="\\.")
