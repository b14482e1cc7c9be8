"""Which test holds the host to which section of RFC 9113 and RFC 7541, and to which case of h2spec.

Read from the tests themselves: the tables of `http2`, and the functions whose names begin with a
section. `h2spec.txt` names for every case of h2spec 2.6 the test of ours that plays it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tests.conformance.case import Case

H2SPEC = Path(__file__).with_name("h2spec.txt")
HTTP2 = ("starting", "frame_format", "streams", "frame_types", "windows", "messages")
MODULES = {
    **{name: f"http2.test_{name}" for name in (*HTTP2, "hpack")},
    **{name: f"grpc_wire.test_{name}" for name in ("calls", "leaving", "deadlines", "health")},
    **{name: f"attacks.test_{name}" for name in ("floods", "stalls", "patience")},
}
NUMBERED = re.compile(r"test_((?:\d+_)+)[a-z]")
HPACK = "hpack"
# Beside the tables, what holds the host to a whole chapter.
ELSEWHERE = {
    "3.2": "`tests/host/extproc/test_tls.py`: ALPN, and what speaks no h2",
    "6.9": "`tests/host/extproc/native/test_windows.py`: no window is ever exceeded, as properties",
    "8.1": "`tests/conformance/grpc_wire`: the exchange above it",
    "8.7": "`tests/conformance/grpc_wire/test_leaving.py`: what may be tried again",
    "9.2": "`tests/host/extproc/test_tls.py`",
    "10.5": "`tests/conformance/attacks`: each flood, stall and bomb, bounded",
}


@dataclass(frozen=True, slots=True)
class Held:
    """One test of one section. *rfc* is 9113 or 7541; *name* as `h2spec.txt` calls it."""

    rfc: int
    section: str
    module: str
    name: str


def held() -> Iterator[Held]:
    """Yield every case and every function that is of a section, in the order of the files."""
    for module, path in MODULES.items():
        members: Any = vars(import_module(f"tests.conformance.{path}"))  # tests, by any name
        rfc = 7541 if module == HPACK else 9113
        for name, member in members.items():
            if isinstance(member, tuple):
                for case in cast("tuple[object, ...]", member):
                    if isinstance(case, Case):
                        yield Held(rfc, case.section, module, f"{module}: {case}")
            elif (numbered := NUMBERED.match(name)) is not None:
                section = numbered[1].strip("_").replace("_", ".")
                yield Held(rfc, section, module, f"{module}: {name}")


def functions() -> Iterator[str]:
    """Yield the names, as `h2spec.txt` calls them, of all functions of the modules."""
    for module, path in MODULES.items():
        for name in vars(import_module(f"tests.conformance.{path}")):
            if name.startswith("test_"):
                yield f"{module}: {name}"


def h2spec() -> list[tuple[str, str]]:
    """Return every case of h2spec, as `suite/section/number`, and what plays it here."""
    lines = H2SPEC.read_text().splitlines()
    return [cast("tuple[str, str]", tuple(line.split(" ", 1))) for line in lines]


def order(section: str) -> list[int]:
    """Return *section* as something that sorts as in a table of contents."""
    return [int(part) for part in section.split(".")]


def table(rfc: int) -> str:
    """Return the rows of the page for *rfc*: section, how many cases, and where."""
    found: dict[str, dict[str, int]] = {}
    for one in held():
        if one.rfc == rfc:
            counts = found.setdefault(one.section, {})
            counts[one.module] = counts.get(one.module, 0) + 1
    if rfc != 7541:
        for section in ELSEWHERE:
            found.setdefault(section, {})
    rows: list[str] = []
    for section in sorted(found, key=order):
        counts = found[section]
        places = [f"`{MODULES[module].replace('.', '/')}.py`" for module in counts]
        more = ELSEWHERE.get(section, "") if rfc != 7541 else ""
        where = "; ".join(part for part in (", ".join(places), more) if part)
        rows.append(f"| {section} | {sum(counts.values()) or ''} | {where} |")
    return "\n".join(rows)
