"""What a policy comes to: one flat text, where each line is from, when each rule is known."""

from headrace.dsl.effective.binding import Bound, bindings
from headrace.dsl.effective.flatten import flatten
from headrace.dsl.effective.form import DEFAULT, Fact, Line, Section
from headrace.dsl.effective.page import plain, text
from headrace.dsl.effective.redact import redacted

__all__ = [
    "DEFAULT", "Bound", "Fact", "Line", "Section", "bindings", "flatten", "plain", "redacted",
    "text",
]  # fmt: skip
