"""What a stage awaits to wait for its turn."""

from dataclasses import dataclass, field

from headrace.extensions.picker.flow.control import FlowControl
from headrace.extensions.picker.flow.waiter import Turned, Waiter
from headrace.extensions.stage import Effect


@dataclass(frozen=True, slots=True)
class Turn(Effect[Turned]):
    """Wait until *waiter*, which has entered *flow*, is served or turned away."""

    flow: FlowControl = field(repr=False)
    waiter: Waiter = field(repr=False)

    @property
    def patience_s(self) -> float:
        """How long it may wait at most."""
        return self.waiter.expires_s - self.waiter.entered_s
