"""Route by the model that a body names."""

from headrace.dsl.program import Program
from headrace.extensions.body_router.listing import Listing, said_by_servers
from headrace.extensions.body_router.renaming import Renaming
from headrace.extensions.body_router.stage import BodyRouter, Router
from headrace.extensions.body_router.table import table
from headrace.extensions.registry import Site
from headrace.extensions.stage import Needs, ResponseNeed


def build(program: Program, site: Site) -> BodyRouter:
    """Build the body router of *program*."""
    models = table(program)
    priorities = {name: found.priority for name, found in program.objectives.items()}
    listing = Listing(models)
    if site.lists_served:
        listing = Listing(models, lambda: said_by_servers(site.store.snapshot))
    router = Router(models, program.classes, listing, priorities)
    if not any(model.as_asked for model in program.models.values()):
        return BodyRouter(router)
    return BodyRouter(router, Renaming, needs=Needs(True, ResponseNeed.GATE))
