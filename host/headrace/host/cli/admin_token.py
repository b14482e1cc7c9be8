"""The token that lets a client of the operator endpoint change something."""

from pathlib import Path

from headrace.host.cli.flags import Mistakes, reason

TOKEN_BYTES_MAX = 4096
TOKEN_CHARS_MIN = 16


def read_token(path: Path | None, mistakes: Mistakes) -> str:
    """Return the token in the file at *path*, empty without one; note it if there is none."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            token = file.read(TOKEN_BYTES_MAX + 1).decode().strip()
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
        mistakes.add(f"--admin-token-file: cannot read `{path}`: {why}")
        return ""
    if not TOKEN_CHARS_MIN <= len(token) <= TOKEN_BYTES_MAX or not token.isascii():
        mistakes.add(
            f"--admin-token-file: `{path}` must hold {TOKEN_CHARS_MIN} ASCII characters or more"
        )
    return token
