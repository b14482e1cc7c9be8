"""Route by the model that a body names."""

from headrace.dsl.program import Program
from headrace.extensions.body_router.bases import Bases
from headrace.extensions.body_router.listing import Listing, said_by_servers
from headrace.extensions.body_router.stage import BodyRouter, Router
from headrace.extensions.body_router.table import table
from headrace.extensions.priorities import priorities
from headrace.extensions.registry import Site


def build(program: Program, site: Site) -> BodyRouter:
    """Build the body router of *program*."""
    models = table(program)
    listing = Listing(models)
    if site.lists_served:
        listing = Listing(models, lambda: said_by_servers(site.store.snapshot))
    known = Bases(site.directory, site.store)
    objectives = priorities(program, site.directory)
    return BodyRouter(Router(models, program.classes, listing, objectives, known))
