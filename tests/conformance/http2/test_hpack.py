"""RFC 7541: every representation is read, and every wrong one is COMPRESSION_ERROR."""

import pytest

from tests.conformance import frames
from tests.conformance.calls import HEAD, REQUEST, request
from tests.conformance.case import Case, answers, asked, ended, goaway, play, untouched
from tests.conformance.fields import As, block, indexed, integer, literal, string, table_size
from tests.conformance.frames import Code, Setting
from tests.conformance.peer import connected
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
BASE = request()
MANY = literal("x-in-table", "v" * 90, As.INDEXING)


def reads(section: str, what: str, *parts: bytes) -> Case:
    """Return the case of a block that is a good request."""
    sends = [frames.headers(1, b"".join(parts), end=True)]
    return Case(section, what, sends, answers())


def breaks(section: str, what: str, *parts: bytes) -> Case:
    """Return the case of a block that cannot be decoded."""
    sends = [frames.headers(1, b"".join(parts), end=True)]
    return Case(section, what, sends, untouched(goaway(Code.COMPRESSION_ERROR)))


FORMS = tuple(
    reads(
        "6.2",
        f"literal {how.name.lower()}, {'known' if isinstance(name, int) else 'new'} name"
        + (", Huffman" if huffman else ""),
        BASE,
        literal(name, "test value", how, huffman),
    )
    for how in As
    for name in (19, "x-new")  # 19 is accept-encoding of the static table
    for huffman in (False, True)
)
TABLE = (
    reads("6.1", "indexed fields", indexed(3), indexed(6), block(*REQUEST[2:])),
    reads("6.1", "an indexed field of the dynamic table", BASE, MANY, indexed(62), indexed(62)),
    reads("2.3.2", "the newest entry has the lowest index", BASE, MANY,
          literal("x-later", "1", As.INDEXING), indexed(62), indexed(63)),
    Case("2.3", "the table lives from block to block",
         [frames.headers(1, BASE + MANY, end=True), ended(1),
          frames.headers(3, BASE + indexed(62), end=True)], answers(3)),
    Case("4.4", "an entry larger than the table empties it",
         [frames.headers(1, BASE + MANY, end=True), ended(1),
          frames.headers(3, BASE + literal("x-big", "v" * 5000, As.INDEXING), end=True),
          ended(3), frames.headers(5, BASE + indexed(62), end=True)],
         goaway(Code.COMPRESSION_ERROR)),
    Case("4.3", "a table of 0 forgets all",
         [frames.headers(1, BASE + MANY, end=True), ended(1),
          frames.headers(3, table_size(0) + table_size(4096) + BASE + indexed(62), end=True)],
         goaway(Code.COMPRESSION_ERROR)),
    reads("6.3", "a table size update", table_size(128), BASE),
    reads("6.3", "two table size updates", table_size(0), table_size(4096), BASE),
    reads("4.3", "no table at all", table_size(0), BASE, MANY, MANY),
    reads("5.1", "a string length in more octets than it needs",
          BASE, b"\x00" + b"\x01x" + b"\x7f\x80\x00" + b"v" * 127),
    reads("5.2", "an empty Huffman string", BASE, b"\x00\x01x\x80"),
    reads("5.2", "octets above ASCII in Huffman", BASE, literal("x", b"\xc3\xa9", huffman=True)),
)  # fmt: skip
WRONG = (
    breaks("6.1", "index 0", BASE, indexed(0)),
    breaks("2.3.3", "an index above both tables", BASE, indexed(70)),
    breaks("2.3.3", "an index just above the static table", BASE, indexed(62)),
    breaks("2.3.3", "an index far above", BASE, indexed(2**30)),
    breaks("2.3.3", "a literal with an index above both tables", BASE, literal(70, "v")),
    breaks("2.3.3", "an indexing literal with an index above both",
           BASE, literal(70, "v", As.INDEXING)),
    breaks("4.2", "a table size update at the end", BASE, table_size(1)),
    breaks("4.2", "a table size update in the middle", BASE[:9], table_size(1), BASE[9:]),
    breaks("6.3", "a table size above the setting", table_size(4097), BASE),
    breaks("6.3", "a table size far above the setting", table_size(2**31), BASE),
    breaks("5.1", "an integer without an end", BASE, b"\xff" + b"\x80" * 40),
    breaks("5.1", "an integer over 2^64", BASE, b"\xff" + b"\xff" * 11 + b"\x01"),
    breaks("5.1", "an integer cut off", BASE, b"\xff\x80"),
    breaks("5.2", "a string longer than the block", BASE, b"\x00\x01x" + integer(99, 7) + b"v"),
    breaks("5.2", "a name longer than the block", BASE, b"\x00" + integer(2**28, 7)),
    breaks("5.2", "Huffman padding of more than 7 bits", BASE, b"\x00\x01x\x82\x1f\xff"),
    breaks("5.2", "Huffman padding of a whole octet", BASE, b"\x00\x01x\x82\xf8\xff"),
    breaks("5.2", "Huffman padding of zeros", BASE, b"\x00\x01x\x81\x18"),
    breaks("5.2", "the EOS symbol in Huffman", BASE, b"\x00\x01x\x84\xff\xff\xff\xff"),
    breaks("5.2", "a name without its value", BASE, b"\x00" + string("x-name")),
)  # fmt: skip


@BOTH
@pytest.mark.parametrize("size", [0, 1, 128, 4096, 65_536])
def test_4_2_the_host_keeps_to_our_table_size_and_says_so(site: Site, size: int) -> None:
    """Our decoder raises if a smaller size of ours is not followed by an update of the host's."""
    with connected(site.port, {Setting.HEADER_TABLE_SIZE: size}) as peer:
        for stream in (1, 3, 5):
            peer.send(frames.headers(stream, request()), frames.data(stream, HEAD, end=True))
            answer = peer.answer(stream)

            assert answer.grpc_status == "0"
            assert answer.blocks[0]["content-type"].startswith("application/grpc")


@BOTH
def test_4_2_a_table_size_may_change_at_any_time(site: Site) -> None:
    with connected(site.port) as peer:
        for stream, size in ((1, 4096), (3, 0), (5, 100), (7, 0), (9, 4096)):
            peer.send(frames.settings({Setting.HEADER_TABLE_SIZE: size}))
            peer.settle()
            peer.table.max_allowed_table_size = size
            peer.send(frames.headers(stream, request()), frames.data(stream, HEAD, end=True))

            assert peer.answer(stream).grpc_status == "0"


@asked([*FORMS, *TABLE, *WRONG])
def test_hpack(case: Case, site: Site) -> None:
    play(case, site)
