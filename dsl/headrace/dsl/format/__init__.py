"""One way to write a policy: the same statements, spaced, aligned and broken alike.

Names and meaning stay; so do comments, groups of lines, and what the author spread over
lines. This prints texts that fit the grammar and refuses others.
"""

from headrace.dsl.format.file import format_source
from headrace.dsl.format.rows import WIDTH

__all__ = ["WIDTH", "format_source"]
