"""What a plain CEL expression may name, and how a name is looked up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headrace.dsl.cel.kinds import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    OCTETS,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    map_of,
    optional_of,
    type_of,
)
from headrace.dsl.cel.library import Function, Library, library
from headrace.dsl.cel.zones import Zones, tzdata_zones
from headrace.dsl.syntax.tree import Expr, Name, Select

TYPE_NAMES: Mapping[str, Type] = {
    "bool": BOOL,
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": OCTETS,
    "null_type": NULL,
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "type": type_of(DYN),
    "optional_type": optional_of(DYN),
    "google.protobuf.Timestamp": TIMESTAMP,
    "google.protobuf.Duration": DURATION,
}


@dataclass(frozen=True, slots=True)
class Declarations:
    """What an expression may name beside the standard library.

    variables  their types, by full name
    functions  of one's own, by full name; see `headrace.dsl.cel.function`
    methods    of one's own; the receiver is the first parameter
    container  the namespace that names are looked up in first, such as `a.b`
    checked    whether types are checked before evaluation; if not, a mistake is a Fault
    macros     whether `has`, `all`, `map` and so on are macros, and not functions
    zones      knows time zones by name; the default reads the `tzdata` package
    """

    variables: Mapping[str, Type] = field(default_factory=dict[str, Type])
    functions: Mapping[str, Function] = field(default_factory=dict[str, Function])
    methods: Mapping[str, Function] = field(default_factory=dict[str, Function])
    container: str = ""
    checked: bool = True
    macros: bool = True
    zones: Zones = tzdata_zones

    def candidates(self, name: str, *, rooted: bool) -> Iterator[str]:
        """Yield the full names that *name* may mean here, the innermost first."""
        parts = [] if rooted or not self.container else self.container.split(".")
        for count in range(len(parts), -1, -1):
            yield ".".join([*parts[:count], name])

    def function(self, name: str, *, rooted: bool) -> Function | None:
        """Return the function that *name* means here."""
        standard = self.library.functions
        for full in self.candidates(name, rooted=rooted):
            found = self.functions.get(full) or standard.get(full)
            if found is not None:
                return found
        return None

    def method(self, name: str) -> Function | None:
        """Return the method *name*."""
        return self.methods.get(name) or self.library.methods.get(name)

    @property
    def library(self) -> Library:
        """The standard library."""
        return library(self.zones)


def qualified(expr: Expr) -> tuple[tuple[str, ...], bool] | None:
    """Return the words of a path such as `a.b.c` and whether it is rooted; None if it is none."""
    words: list[str] = []
    at = expr
    while isinstance(at, Select):
        if at.optional or at.quoted:
            return None
        words.append(at.member.text)
        at = at.of
    if not isinstance(at, Name):
        return None
    return (at.text, *reversed(words)), at.rooted
