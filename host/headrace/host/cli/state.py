"""The flag `--state`: where hosts share what they know."""

from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headrace.host.cli.flags import Mistakes

if TYPE_CHECKING:
    from headrace.host.serve.options import State

SCHEMES = ("redis", "rediss")


def read_state(url: str, mistakes: Mistakes) -> "State":
    """Return what *url* asks for, which may be empty; what is wrong with it is noted.

    A URL may hold a password, so no message quotes one.
    """
    from headrace.host.serve.options import State

    if not url:
        return State()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
        usable = usable and (parts.path.strip("/") or "0").isdecimal()
    except ValueError:
        usable = False
    if not usable:
        mistakes.add("--state: this is no URL of Redis: write e.g. `redis://10.0.0.9:6379/0`")
    elif find_spec("redis") is None:
        mistakes.add("--state: Redis is not installed: `pip install 'headrace[redis]'`")
    return State(redis=url)
