"""The endpoint attributes of the reference that the language has under names of its own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value of an endpoint, as an expression of type double; *optional* if it may be missing."""

    name: str
    value: str
    optional: bool = False

    def guarded(self, expression: str, missing: str) -> str:
        """Return *expression*, or *missing* where the value is."""
        return f"has({self.value}) ? {expression} : {missing}" if self.optional else expression


_KNOWN = {
    ("GPUUtilization", "dcgm-extractor"): Attribute("gpu", "endpoint.gpu", optional=True),
}


def attribute(name: str, producer: str) -> Attribute | None:
    """Return what the language has for the attribute *name* of *producer*."""
    return _KNOWN.get((name, producer))
