"""Which control headers Envoy strips from clients before it does anything else.

The exchange strips them too, by the conditions of `trust`; this is the outer wall, for
what Envoy itself would act on: the route and the endpoint.
"""

from headrace.dsl.program import Program
from headrace.extensions.control import CONTROL, OWN_PREFIX
from headrace.host.envoy.options import Tree

POOL_HEADER = "x-headrace-pool"
MIRROR_HEADER = "x-headrace-mirror"


def strip_control_headers(program: Program) -> Tree:
    """Return the early header mutation, which runs before Envoy chooses a route.

    What some `trust` of *program* may let through is left for the exchange to decide.
    """
    trusted = {name for trust in program.trusts for name in trust.names}
    forged = sorted(name for name, by in CONTROL.items() if by not in trusted)
    removals: list[Tree] = [{"remove_on_match": {"key_matcher": {"prefix": OWN_PREFIX}}}]
    removals.extend({"remove": name} for name in forged)
    base = "envoy.http.early_header_mutation.header_mutation"
    kind = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    config = {"@type": f"type.googleapis.com/{kind}", "mutations": removals}
    return {"name": base, "typed_config": config}
