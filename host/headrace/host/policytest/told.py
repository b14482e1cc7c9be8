"""A cost model that says of an endpoint what a test gives, and else what the real one does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from headrace.dsl.cases import Given
from headrace.extensions.picker.cost.outlook import NO_OUTLOOK, Outlook


@dataclass(frozen=True, slots=True)
class Told:
    """Satisfies `OutlookValues`. *said*: name of `endpoint.*` -> what it is, in base units."""

    said: Mapping[str, Given]
    model: Outlook = field(default=NO_OUTLOOK, repr=False)

    # Any: a method of the real model, or one that answers like it; the checker knows the types.
    def __getattr__(self, name: str) -> Any:
        """Return the method of the model that *name* is; one that is given asks nothing."""
        if name in self.said:
            return partial(self._say, name)
        return getattr(self.model, name)

    def _say(self, name: str, *asked: object) -> Given:
        return self.said[name]
