"""Encoded bodies are read piece by piece, within a bound, and their faults are told apart."""

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.exchange.coding import CodingFault, CodingUnknown, Decoder, TooLarge


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


def brotli_bytes(data: bytes) -> bytes:
    return bytes(cast(Any, brotli).compress(data))


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "two gzip members": ("x-gzip", lambda d: gzip.compress(d[:3]) + gzip.compress(d[3:])),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli_bytes),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd in gzip": ("zstd, gzip", lambda d: gzip.compress(zstandard.compress(d))),
    "identity": ("identity", lambda d: d),
}


@pytest.mark.parametrize("name", ENCODERS)
@given(content=st.binary(min_size=1, max_size=400), size=st.integers(1, 40))
def test_the_content_is_read_however_it_is_cut(name: str, content: bytes, size: int) -> None:
    coding, encode = ENCODERS[name]
    sent = encode(content)
    decoder = Decoder(coding, 1000)
    read = b"".join(decoder.push(sent[at : at + size]) for at in range(0, len(sent), size))
    decoder.finish()

    assert read == content


@pytest.mark.parametrize("name", [n for n in ENCODERS if n != "identity"])
def test_a_bomb_stops_at_the_bound(name: str) -> None:
    coding, encode = ENCODERS[name]
    bomb = encode(b"\0" * 30_000_000)
    decoder = Decoder(coding, 100_000)
    with pytest.raises(TooLarge):
        decoder.push(bomb)

    assert len(bomb) < 100_000


@pytest.mark.parametrize("name", [n for n in ENCODERS if n != "identity"])
def test_a_body_that_breaks_off_is_a_fault(name: str) -> None:
    coding, encode = ENCODERS[name]
    decoder = Decoder(coding, 1000)
    decoder.push(encode(b"some content to read")[:-3])
    with pytest.raises(CodingFault):
        decoder.finish()


@pytest.mark.parametrize("name", [n for n in ENCODERS if n not in ("identity", "raw deflate")])
@given(junk=st.binary(min_size=8, max_size=60))
def test_junk_is_a_fault_and_nothing_else(name: str, junk: bytes) -> None:
    decoder = Decoder(ENCODERS[name][0], 10_000)
    read = b""
    with suppress(CodingFault):
        read = decoder.push(junk)
        decoder.finish()

    assert len(read) <= 10_000


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip, gzip", "gzip, lzma"])
def test_an_unknown_coding_is_named(coding: str) -> None:
    with pytest.raises(CodingUnknown):
        Decoder(coding, 10)
