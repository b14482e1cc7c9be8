"""Put together what the guards of a policy need: providers, keys, readers of texts."""

from headrace.dsl.program import Guard, Program
from headrace.extensions.registry import Site
from headrace.extensions.safety.contract import Found, Hit, Local
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.local import apart, settled
from headrace.extensions.safety.memory import key_from
from headrace.extensions.safety.own import own
from headrace.extensions.safety.post import Post, Settle, asking, looking
from headrace.extensions.safety.providers import remote
from headrace.extensions.safety.reads import Reads
from headrace.extensions.texts import answer, pieces, request
from headrace.extensions.texts.copies import without_copies
from headrace.extensions.texts.patch import spliced

READS = Reads(
    request.passages,
    answer.passages,
    pieces.pieces,
    spliced,
    without_copies,
)


def desk(program: Program, site: Site) -> Desk:
    """Return the guards of *program* at their posts.

    Raises:
        ValueError: a pattern is no RE2 expression.
        ProviderFault: the settings of a provider cannot be used.
    """
    key = key_from(site.session_key)
    posts = tuple(found for found in (_post(guard, key) for guard in program.guards) if found)
    return Desk(posts, READS, program.safety)


def _post(guard: Guard, key: bytes) -> Post | None:
    """Return *guard* at its post; None if it looks for nothing, so has nothing to do."""
    if guard.ask is not None:
        return asking(guard, remote(guard), key)
    local = own(guard)
    if local is None:
        return None
    return looking(guard, local, _settle(local, guard.window.overlap), local.found, key)


def _settle(local: Local, overlap: int) -> Settle:
    """Return how *local* judges a text that is still being written."""

    def settle(text: str, start: int, whole: bool) -> tuple[tuple[Hit, ...], int]:
        if whole:
            return _hits(apart(local.found(text, start))), len(text)
        if not local.found(text, start):  # the usual case, without what comes behind it
            return (), max(start, local.partial_start(text, overlap))
        found, until = settled(local, text, start, overlap)
        return _hits(found), until

    return settle


def _hits(found: tuple[Found, ...]) -> tuple[Hit, ...]:
    return tuple([Hit(one.what, 0, one.start, one.end) for one in found]) if found else ()
