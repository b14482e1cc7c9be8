"""What a policy's `trace` says of an exchange that has ended: is it kept, and with what.

Asked only where spans are exported at all; attributes only of an exchange that is kept.
"""

from dataclasses import dataclass, field

from headrace.dsl.program import After, Program, RuleFault, Scalar
from headrace.extensions.records import RuleError
from headrace.extensions.stage import Outcome
from headrace.host.afterwards import LookedBack, look_back
from headrace.host.telemetry.describe import Attributes, text

ALWAYS = "headrace.trace.always"
ERRORS = "headrace.trace.errors"
OWN = "headrace.attribute."


@dataclass(slots=True)
class Tracing:
    """Asks the rules of `trace` about one outcome. Written while that outcome is told.

    errors  the rules that failed, in the order they were asked
    """

    program: Program
    outcome: Outcome
    errors: list[RuleError] = field(default_factory=list[RuleError])
    _seen: LookedBack | None = None

    def always(self) -> str:
        """Return the first condition that keeps this exchange, as written; empty if none does."""
        for rule in self.program.trace.always:
            if self._value(rule, "trace always") is True:
                return rule.rule.text
        return ""

    def attributes(self) -> Attributes:
        """Return the policy's own attributes. What is empty or failed is left out."""
        found: Attributes = {}
        for attribute in self.program.trace.attributes:
            value = self._value(attribute.value, f"trace attribute {attribute.name}")
            if isinstance(value, str):
                value = text(value)
            if value is not None and value != "":
                found[OWN + attribute.name] = value
        return found

    def _value(self, after: After, name: str) -> Scalar | None:
        """Return what *after* comes to; None, with the error noted, if it fails."""
        seen = self._seen = self._seen or look_back(self.outcome, self.program)
        now_s = self.outcome.ended_s
        value = after.value(seen.request, seen.model, seen.decision, seen.response, now_s)
        if isinstance(value, RuleFault):
            self.errors.append(RuleError(name, value.kind))
            return None
        return value
