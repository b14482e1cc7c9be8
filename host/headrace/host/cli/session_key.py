"""The key by which session tokens are signed, the same for all processes that are to know them."""

from pathlib import Path

from headrace.host.cli.flags import Mistakes, reason

KEY_BYTES_MIN, KEY_BYTES_MAX = 16, 4096


def read_key(path: Path | None, mistakes: Mistakes) -> bytes:
    """Return the key in the file at *path*, empty without one; note it if there is none.

    White space around it does not count: editors and shells put a line's end there.
    """
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            key = file.read(KEY_BYTES_MAX + 1).strip()
    except OSError as error:
        mistakes.add(f"--session-key-file: cannot read `{path}`: {reason(error)}")
        return b""
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        mistakes.add(
            f"--session-key-file: `{path}` must hold {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes: "
            f"write e.g. `openssl rand -hex 32 > {path}`"
        )
    return key
