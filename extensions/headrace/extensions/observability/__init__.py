"""Count and report what passed."""

from headrace.dsl.program import Program
from headrace.extensions.observability.stage import Observability
from headrace.extensions.registry import Site


def build(program: Program, site: Site) -> Observability:
    """Build the observability stage, which is the same for every program."""
    return Observability(site.report)
