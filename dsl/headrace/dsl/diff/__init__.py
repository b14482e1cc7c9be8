"""How two policies differ: in what they say, and where to look for what they do."""

from headrace.dsl.diff.change import Change
from headrace.dsl.diff.structure import compare

__all__ = ["Change", "compare"]
