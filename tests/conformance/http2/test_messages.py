"""RFC 9113, section 8: what a request is, and what is malformed. None of it is an exchange."""

from tests.conformance import frames
from tests.conformance.calls import HEAD, PATH, request
from tests.conformance.case import (
    OPEN,
    Case,
    Step,
    answers,
    asked,
    either,
    malformed,
    play,
    untouched,
)
from tests.conformance.fields import Field, block
from tests.conformance.frames import Code
from tests.conformance.site import Site

PSEUDO: tuple[Field, ...] = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", PATH),
    (":authority", "headrace.test"),
)
GRPC: tuple[Field, ...] = (("te", "trailers"), ("content-type", "application/grpc"))
END = frames.data(1, end=True)


def asks(block: bytes) -> list[Step]:
    """Return the steps that begin stream 1 with *block*."""
    return [frames.headers(1, block)]


def bad(section: str, what: str, block: bytes) -> Case:
    """Return the case of a request that is malformed by its block."""
    return Case(section, what, asks(block), untouched(malformed()))


NAMES = {
    "in upper case": "X-Upper",
    "with one capital": "x-uppEr",
    "with a space": "x y",
    "with a tab": "x\ty",
    "with a NUL": "x\0y",
    "with a line feed": "x\ny",
    "with DEL": "x\x7fy",
    "with an octet above ASCII": "x\xe9y",
    "with a colon": "x:y",
    "ending with a colon": "x:",
}
VALUES = {
    "with a NUL": "a\0b",
    "with a line feed": "a\nb",
    "with a carriage return": "a\rb",
    "with a request smuggled in": "a\r\nx-injected: 1",
    "starting with a space": " a",
    "starting with a tab": "\ta",
    "ending with a space": "a ",
    "ending with a tab": "a\t",
    "of a single space": " ",
}
CONNECTION = {
    "connection": "keep-alive",
    "keep-alive": "timeout=5",
    "proxy-connection": "keep-alive",
    "transfer-encoding": "chunked",
    "upgrade": "h2c",
}
FIELDS = (
    *[bad("8.2.1", f"a name {what}", request((name, "v"))) for what, name in NAMES.items()],
    *[bad("8.2.1", f"a value {what}", request(("x-v", value))) for what, value in VALUES.items()],
    bad("8.2.1", "a pseudo value with a line feed", request(authority="a\nb")),
    bad("8.2.1", "a path with a NUL", request(path=PATH + "\0")),
    *[bad("8.2.2", f"the field {n}", request((n, v))) for n, v in CONNECTION.items()],
    bad("8.2.2", "te other than trailers", request(te="trailers, deflate")),
    bad("8.2.2", "te of gzip", request(te="gzip")),
    Case("8.2.1", "a value of obs-text", [frames.headers(1, request(("x-v", "\xe9")), end=True)],
         answers()),
    Case("8.2.1", "an empty value", [frames.headers(1, request(("x-v", "")), end=True)],
         answers()),
    Case("8.2.1", "a value with a tab inside", [
        frames.headers(1, request(("x-v", "a\tb")), end=True)], answers()),
    Case("8.2.1", "a name of every token character", [
        frames.headers(1, request(("!#$%&'*+-.^_`|~09az", "v")), end=True)], answers()),
    Case("8.2.3", "a cookie in crumbs", [
        frames.headers(1, request(("cookie", "a=1"), ("cookie", "b=2")), end=True)], answers()),
)  # fmt: skip
PSEUDO_CASES = (
    bad("8.3", "an unknown pseudo-field", block(*PSEUDO, (":test", "x"), *GRPC)),
    bad("8.3", "a pseudo-field of responses", block(*PSEUDO, (":status", "200"), *GRPC)),
    bad("8.3", "a pseudo-field after a field", block(*PSEUDO[:3], *GRPC, PSEUDO[3])),
    bad("8.3", "all pseudo-fields after the fields", block(*GRPC, *PSEUDO)),
    bad("8.3", "a pseudo-field in upper case", block((":Method", "POST"), *PSEUDO[1:], *GRPC)),
    bad("8.3", "the empty pseudo-field", block(*PSEUDO, (":", "x"), *GRPC)),
    bad("8.3.1", "no :method", request(method=None)),
    bad("8.3.1", "no :scheme", request(scheme=None)),
    bad("8.3.1", "no :path", request(path=None)),
    bad("8.3.1", "an empty :path", request(path="")),
    bad("8.3.1", "an empty :method", request(method="")),
    bad("8.3.1", "a :path without a slash", request(path=PATH[1:])),
    *[
        bad("8.3.1", f"{PSEUDO[at][0]!s} twice", block(PSEUDO[at], *PSEUDO, *GRPC))
        for at in range(4)
    ],
    bad("8.5", "CONNECT with a path", request(method="CONNECT")),
    bad("8.1.1", "no field at all", b""),
    bad("8.1.1", "trailers' fields first", block(("grpc-status", "0"))),
    Case("8.3.1", "no :authority, but host", [frames.headers(
        1, request(("host", "headrace.test"), authority=None), end=True)], answers()),
    Case("8.3.1", "a host that is :authority", [frames.headers(
        1, request(("host", "headrace.test")), end=True)], answers()),
    bad("8.3.1", "a host that is not :authority", request(("host", "elsewhere.test"))),
    bad("8.3.1", "an asterisk as :path of no OPTIONS", request(path="*")),
    Case("8.3.1", ":scheme of https on a plain connection", [
        frames.headers(1, request(scheme="https"), end=True)], answers()),
    Case("8.3.1", "a :path with a query is another method", [
        frames.headers(1, request(path=PATH + "?q"), end=True)], answers(grpc_status="12")),
)  # fmt: skip


def long(declared: int, *sizes: int) -> list[Step]:
    """Return the steps of a request that declares its length and sends messages of *sizes*."""
    body = [frames.data(1, HEAD[:size], end=n == len(sizes)) for n, size in enumerate(sizes, 1)]
    return [frames.headers(1, request(("content-length", str(declared)))), *body]


LENGTHS = (
    Case("8.1.1", "content-length above the sum of DATA", long(999, 4), malformed()),
    Case("8.1.1", "content-length below the sum of DATA", long(3, 4), malformed()),
    Case("8.1.1", "content-length above the sum of two DATA", long(999, 4, 4), malformed()),
    Case("8.1.1", "content-length below the sum of two DATA", long(6, 4, 4), malformed()),
    Case("8.1.1", "content-length with END_STREAM on HEADERS",
         [frames.headers(1, request(("content-length", "9")), end=True)],
         untouched(malformed())),
    Case("8.1.1", "content-length that is right",
         [frames.headers(1, request(("content-length", str(len(HEAD))))),
          frames.data(1, HEAD, pad_bytes=9), END], answers(messages=1)),
    bad("8.1.1", "content-length that is no number", request(("content-length", "x"))),
    bad("8.1.1", "content-length below zero", request(("content-length", "-1"))),
    bad("8.1.1", "two content-lengths that differ",
        request(("content-length", "4"), ("content-length", "5"))),
)  # fmt: skip
TRAILERS = (
    Case("8.1", "trailers", [OPEN, frames.data(1, HEAD),
         frames.headers(1, block(("x-trailer", "v")), end=True)], answers(messages=1)),
    Case("8.1", "trailers without a field", [OPEN, frames.data(1, HEAD),
         frames.headers(1, b"", end=True)], answers(messages=1)),
    Case("8.1", "a second HEADERS without END_STREAM", [OPEN, frames.data(1, HEAD[:4]),
         frames.headers(1, block(("x-trailer", "v")))], malformed()),
    Case("8.1", "a second HEADERS that is a request", [OPEN, frames.data(1, HEAD[:4]),
         frames.headers(1, request(), end=True)], malformed()),
    Case("8.1", "trailers with a pseudo-field", [OPEN, frames.data(1, HEAD[:4]),
         frames.headers(1, block((":method", "POST")), end=True)], malformed()),
    Case("8.1", "trailers in upper case", [OPEN, frames.data(1, HEAD[:4]),
         frames.headers(1, block(("X-Trailer", "v")), end=True)], malformed()),
    Case("8.1", "trailers with a connection field", [OPEN, frames.data(1, HEAD[:4]),
         frames.headers(1, block(("connection", "close")), end=True)], malformed()),
    Case("8.1", "DATA after trailers", [OPEN, frames.data(1, HEAD[:4]),
         frames.headers(1, block(("x-trailer", "v")), end=True), END],
         either(1, Code.STREAM_CLOSED)),
    Case("8.1", "trailers twice", [OPEN, frames.data(1, HEAD[:4]),
         frames.headers(1, block(("x-trailer", "v")), end=True),
         frames.headers(1, block(("x-trailer", "v")), end=True)], either(1, Code.STREAM_CLOSED)),
)  # fmt: skip


@asked([*FIELDS, *PSEUDO_CASES, *LENGTHS, *TRAILERS])
def test_section_8(case: Case, site: Site) -> None:
    play(case, site)
