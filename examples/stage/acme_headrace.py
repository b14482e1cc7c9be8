"""A stage of our own: masks e-mail addresses in prompts before a model sees them."""

import re
from dataclasses import dataclass, field

from headrace.dsl.program import Program
from headrace.extensions.registry import Site
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Request,
)

# None of these characters has a meaning in JSON, so the body may be searched as it is.
ADDRESS = re.compile(rb"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
MASK = b"[e-mail]"


@dataclass(frozen=True, slots=True)
class Masked:
    """How many addresses were masked, for traces. Never the addresses."""

    count: int


class Redaction(Filter):
    """Masks one request. It keeps nothing, so one serves all exchanges."""

    def on_request(self, request: Request, now_s: float) -> Action:
        """Replace every address in the body; leave a body without any untouched."""
        if not request.body:
            return CONTINUE
        body, count = ADDRESS.subn(MASK, request.body)
        return Continue(body=body, records=(Masked(count),)) if count else CONTINUE


@dataclass(frozen=True, slots=True)
class Redactor:
    """The stage. If it fails, the request is refused: an unmasked prompt must not pass."""

    name: str = "acme_redactor"
    needs: Needs = field(default_factory=lambda: Needs(request_body=True))
    deadline_s: float = 0.05
    on_failure: OnFailure = OnFailure.CLOSED

    def open(self, info: ExchangeInfo) -> Filter:
        """Return the filter for one exchange."""
        return Redaction()


def build(program: Program, site: Site) -> Redactor:
    """Build the stage for a policy; the entry point in pyproject.toml names this function."""
    return Redactor()
