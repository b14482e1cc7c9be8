"""Screen prompts before they reach a model, and answers before they reach the client."""

from headrace.dsl.program import Program
from headrace.extensions.registry import Site
from headrace.extensions.safety.assembly import desk
from headrace.extensions.safety.stage import Safety, safety


def build(program: Program, site: Site) -> Safety:
    """Build the safety stage of *program*."""
    return safety(desk(program, site))
