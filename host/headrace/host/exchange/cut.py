"""Cut held bytes into pieces that fit one streamed reply."""

from collections.abc import Iterator


def cut(chunks: list[bytes], size: int) -> Iterator[bytes]:
    """Yield the bytes of *chunks* in pieces of at most *size*, none of them empty."""
    rest: list[bytes] = []
    rest_bytes = 0
    for chunk in chunks:
        if rest and rest_bytes + len(chunk) > size:
            yield b"".join(rest)
            rest, rest_bytes = [], 0
        whole = len(chunk) - len(chunk) % size
        for at in range(0, whole, size):
            yield chunk[at : at + size]
        if whole < len(chunk):
            rest.append(chunk[whole:])
            rest_bytes += len(chunk) - whole
    if rest:
        yield b"".join(rest)
