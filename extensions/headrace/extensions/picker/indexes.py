"""A pool's index of cached prefixes and its servers' book, as a policy is adopted."""

from headrace.dsl.program import Pool
from headrace.extensions.call import TOKEN_BYTES
from headrace.extensions.picker.kv.book import KvBook
from headrace.extensions.picker.prefix import BYTES_MAX, PrefixIndex
from headrace.extensions.picker.prompt import BLOCK_BYTES


def index_of(declared: Pool, old: PrefixIndex | None) -> PrefixIndex:
    """Return the index of a pool, with what *old* knows if its blocks are the same."""
    bytes_max = declared.prefix_bytes_max or BYTES_MAX
    block_bytes = (declared.block_tokens or 0) * TOKEN_BYTES
    if old is None or (block_bytes and block_bytes != old.block_bytes):
        return PrefixIndex(bytes_max, block_bytes or BLOCK_BYTES)
    old.bytes_max = bytes_max
    return old


def book_of(index: PrefixIndex, servers: int, old: KvBook | None) -> KvBook:
    """Return the book of a pool; *old* if it is of the same *index*."""
    if old is None or old.index is not index:
        return KvBook(index, servers)
    old.servers_max = servers
    return old
