# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (brotli and zstandard tell little of their types.)
"""Content codings: read gzip, br, zstd and deflate, piece by piece and within a bound."""

import zlib
from typing import Protocol

import brotli
import zstandard

PIECE_BYTES = 1 << 16


class CodingFault(Exception):
    """The bytes are not what `content-encoding` says."""


class CodingUnknown(Exception):
    """`content-encoding` names a coding that is not read here."""


class TooLarge(Exception):
    """The decoded content exceeds its bound."""


class _Inflater(Protocol):
    def push(self, data: bytes) -> bytes: ...
    def done(self) -> bool: ...


class _Zlib:
    """gzip (several members too), and deflate with or without its zlib wrapper (RFC 9110 8.4.1)."""

    def __init__(self, gzip: bool, bound: int) -> None:
        self._gzip, self._bound = gzip, bound
        self._inflate = zlib.decompressobj(31 if gzip else 15)
        self._begun = self._ended = False

    def push(self, data: bytes) -> bytes:
        out: list[bytes] = []
        size = 0
        while data:
            if not self._begun and not self._gzip and data[0] & 0x0F != 8:
                self._inflate = zlib.decompressobj(-15)
            if self._ended:
                self._inflate = zlib.decompressobj(31 if self._gzip else 15)
            self._begun, self._ended = True, False
            piece = self._inflate.decompress(data, self._bound + 1 - size)
            out.append(piece)
            size += len(piece)
            if size > self._bound:
                raise TooLarge
            self._ended = self._inflate.eof
            data = self._inflate.unused_data if self._ended else self._inflate.unconsumed_tail
        return b"".join(out)

    def done(self) -> bool:
        return self._ended or not self._begun


class _Brotli:
    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._inflate = brotli.Decompressor()
        self._begun = False

    def push(self, data: bytes) -> bytes:
        self._begun = self._begun or bool(data)
        out = [self._inflate.process(data, output_buffer_limit=PIECE_BYTES)]
        size = len(out[0])
        while not self._inflate.can_accept_more_data():
            out.append(self._inflate.process(b"", output_buffer_limit=PIECE_BYTES))
            size += len(out[-1])
            if size > self._bound:
                raise TooLarge
        return b"".join(out)

    def done(self) -> bool:
        return not self._begun or self._inflate.is_finished()


class _Zstd:
    """One zstd frame. Its window is bounded (RFC 8878 asks for at least 8 MiB)."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._inflate = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj(
            write_size=PIECE_BYTES
        )
        self._begun = False

    def push(self, data: bytes) -> bytes:
        out: list[bytes] = []
        size = 0
        # A small step of input bounds what one call can blow up to.
        for at in range(0, len(data), 1024):
            self._begun = True
            if self._inflate.eof:
                raise CodingFault
            out.append(self._inflate.decompress(data[at : at + 1024]))
            if self._inflate.unused_data:
                raise CodingFault
            size += len(out[-1])
            if size > self._bound:
                raise TooLarge
        return b"".join(out)

    def done(self) -> bool:
        return not self._begun or self._inflate.eof


class Decoder:
    """Turns the pieces of one encoded body into its content, never more than *bound* bytes."""

    def __init__(self, content_encoding: str, bound: int) -> None:
        """Read the codings of *content_encoding*, outermost last.

        Raises:
            CodingUnknown: one of them is not read here, or there are more than two.
        """
        names = [n.strip().lower() for n in content_encoding.split(",") if n.strip()]
        names = [n for n in names if n != "identity"]
        if len(names) > 2:
            raise CodingUnknown(content_encoding)
        self._layers = [_inflater(name, bound) for name in reversed(names)]
        self._left = bound

    @property
    def identity(self) -> bool:
        """Whether the body is its own content."""
        return not self._layers

    def push(self, data: bytes) -> bytes:
        """Return the content that *data* completes.

        Raises:
            CodingFault: the bytes are broken.
            TooLarge: the bound is passed.
        """
        try:
            for layer in self._layers:
                data = layer.push(data)
        except (zlib.error, brotli.error, zstandard.ZstdError) as fault:
            raise CodingFault from fault
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge
        return data

    def finish(self) -> None:
        """Check that nothing is missing at the end.

        Raises:
            CodingFault: the body breaks off.
        """
        if not all(layer.done() for layer in self._layers):
            raise CodingFault


def _inflater(name: str, bound: int) -> _Inflater:
    match name:
        case "gzip" | "x-gzip":
            return _Zlib(True, bound)
        case "deflate":
            return _Zlib(False, bound)
        case "br":
            return _Brotli(bound)
        case "zstd":
            return _Zstd(bound)
        case _:
            raise CodingUnknown(name)
