"""Names, literals and measures: from the reference's spelling to the language's."""

import re
from collections.abc import Collection

from headrace.host.importer.document import ImportFault

DIGITS = 6  # behind the point, of a number that is written
_IDENTIFIER_CHARS_MAX = 60
_RESERVED = frozenset({
    "also", "any", "as", "by", "chain", "class", "cost", "decision", "default", "else",
    "endpoint", "false", "filter", "for", "from", "guard", "has", "import", "in", "least",
    "let", "math", "max", "min", "model", "most", "now", "null", "objective", "of", "override",
    "pick", "pool", "prefer", "profile", "quota", "random", "request", "require", "response",
    "scorer", "sched", "score", "stage", "test", "ties", "to", "trace", "true", "trust", "up",
    "use", "weighted", "when", "with",
})  # fmt: skip
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
_GO_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+")
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)(|m|k|K|M|G|T|P|Ki|Mi|Gi|Ti|Pi)")
_SCALES = {"": 1.0, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15} | {
    unit: 1024.0 ** (i + 1) for i, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"))
}


def identifier(wanted: str, taken: Collection[str]) -> str:
    """Return a name like *wanted* that an expression can have and that is not *taken*."""
    name = re.sub(r"[^a-z0-9_]+", "_", wanted.lower()).strip("_")[:_IDENTIFIER_CHARS_MAX] or "rule"
    if name[0].isdigit() or name in _RESERVED:
        name = f"its_{name}"
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def block_name(wanted: str) -> str:
    """Return *wanted* as the name of a pool, model or profile: bare if possible, else quoted."""
    return wanted if _BARE.fullmatch(wanted) else text(wanted)


def text(value: str) -> str:
    """Return *value* as a text of the language; what cannot be shown is escaped."""
    shown = "".join(_escaped(char) for char in value)
    return f'"{shown}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def number(value: float) -> str:
    """Return *value* ≥ 0 without an exponent: `2`, `0.5`."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    shown = f"{value:.{DIGITS}f}".rstrip("0")
    return f"{shown}0" if shown.endswith(".") else shown


def double(value: float) -> str:
    """Return *value* as a double of an expression: `2.0`."""
    shown = number(value)
    return shown if "." in shown else f"{shown}.0"


def percent(ratio: float) -> str:
    """Return the *ratio* 0..1 as `80%`."""
    return f"{number(round(ratio * 100, 4))}%"


def seconds(given: str, where: str, line: int) -> float:
    """Return the seconds of a Go duration such as `1m30s`."""
    if not _GO_DURATION.fullmatch(given):
        raise ImportFault(f"{where}: `{given}` is not a duration such as `1m30s`", line)
    return sum(float(n) * _GO_UNITS_S[unit] for n, unit in _GO_PART.findall(given))


def duration(value_s: float) -> str:
    """Return *value_s* as a duration of the language: `1.5s`, `200ms`."""
    if value_s >= 1 or value_s == 0:
        return f"{number(round(value_s, 3))}s"
    return f"{number(round(value_s * 1000, 3))}ms"


def quantity(given: str, where: str, line: int) -> float:
    """Return the number of a Kubernetes quantity such as `10Gi` or `5k`."""
    found = _QUANTITY.fullmatch(given)
    if found is None:
        raise ImportFault(f"{where}: `{given}` is not a quantity such as `10Gi`", line)
    return float(found[1]) * _SCALES[found[2]]


def comment(sentence: str) -> str:
    """Return *sentence* as it may stand in a comment: one line, nothing that cannot be shown."""
    return " ".join("".join(c if c.isprintable() else " " for c in sentence).split())
