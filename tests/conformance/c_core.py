"""What gRPC's C-core does not hold of the RFCs, so that the reference transport is not asked it.

Found by asking: each pattern is of cases that fail on grpcio, whatever version is installed.
Envoy sends none of this, which is why the reference transport may be the way it is.
"""

from fnmatch import fnmatchcase

DEVIATIONS: dict[str, tuple[str, ...]] = {
    "takes DATA and HEADERS without padding only, and no flags that it does not know": (
        "4.1 undefined flags*",
        "6.1 *PADDED*",
        "6.1 *pad*",
        "6.2 padded*",
        "6.2 PADDED*",
    ),
    "checks no field sections: names, values and pseudo-fields are the application's": (
        "4.3 a block of a refused request*",
        "8.*",
    ),
    "passes over frames of streams that are idle, over or half-closed": (
        "5.1 idle: DATA*",
        "5.1 idle: RST_STREAM*",
        "5.1 idle: WINDOW_UPDATE*",
        "5.1 half-closed (remote): DATA",
        "5.1 half-closed (remote): HEADERS*",
        "5.1 closed by*: DATA",
        "5.1 closed by*: HEADERS",
        "5.1 closed by the host's reset*",
        "5.1 no answer follows*",
        "5.1.1 *",
        "6.1 DATA after the end*",
        "6.4 RST_STREAM of an idle stream",
    ),
    "passes over the stream of a frame where only one is right": (
        "6.? * of stream 0",
        "6.7 PING of a stream",
        "6.8 GOAWAY of a stream",
    ),
    "passes over PRIORITY and PUSH_PROMISE whatever they hold": ("6.3 PRIORITY of 4*", "6.6 *"),
    "has a window of 64 bits, and ends the connection where the stream will do": (
        "5.4.2 *",
        "6.9 an increment of 0 for a stream",
        "6.9.1 * over 2^31 - 1*",
        "6.9.2 SETTINGS push*",
    ),
    "takes DATA of any size": ("4.2 DATA larger than the maximum",),
    "is lenient with Huffman padding and late table sizes": (
        "4.2 a table size update at the end",
        "5.2 Huffman padding of more than 7 bits",
        "5.2 Huffman padding of a whole octet",
        "5.2 the EOS symbol in Huffman",
    ),
}


def excuse(case: str) -> str:
    """Return why C-core is not asked *case*; empty if it is."""
    for why, patterns in DEVIATIONS.items():
        if any(fnmatchcase(case, pattern) for pattern in patterns):
            return why
    return ""
