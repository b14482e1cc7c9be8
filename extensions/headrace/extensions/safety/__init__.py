"""Screen prompts before they reach a model."""

from headrace.dsl.program import Program
from headrace.extensions.registry import Site
from headrace.extensions.safety.screen import patterns
from headrace.extensions.safety.stage import NEEDS, Post, Safety, Screener
from headrace.extensions.stage import Needs


def build(program: Program, site: Site) -> Safety:
    """Build the safety stage of *program*. A guard without patterns finds nothing, so has none."""
    posts = tuple(Post(g, patterns(g.patterns)) for g in program.guards if g.patterns)
    return Safety(Screener(posts), needs=NEEDS) if posts else Safety(None, needs=Needs())
