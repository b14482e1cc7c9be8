"""One call, and the means to check it."""

from dataclasses import dataclass

from headrace.dsl.cel import operators
from headrace.dsl.cel.scope import Check, Scope
from headrace.dsl.cel.typed import Typed, wrong
from headrace.dsl.syntax.tree import Call


@dataclass(frozen=True, slots=True)
class Place:
    """A call, and what is known where it stands."""

    call: Call
    scope: Scope
    check: Check

    def wrong_type(self, value: Typed, wanted: str) -> Typed:
        """Report that *value* is not what the call takes, and return a wrong node."""
        message = f"`{self.call.name.text}` takes {wanted}"
        label = operators.described(value, short=True)
        self.scope.problems.add("S203", value.span, message, label)
        return wrong(self.call.span, (value,))

    def arity(self, wanted: int) -> bool:
        """Whether the call has *wanted* arguments; reports it if not."""
        if len(self.call.args) == wanted:
            return True
        count = "no argument" if not wanted else f"{wanted} argument{'s' * (wanted > 1)}"
        message = f"`{self.call.name.text}` takes {count}"
        self.scope.problems.add("S220", self.call.span, message, f"{len(self.call.args)} given")
        return False
