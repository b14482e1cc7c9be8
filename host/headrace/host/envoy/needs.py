"""What a whole chain must see of an exchange."""

from headrace.dsl.program import Program
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site, build
from headrace.extensions.stage import Needs, Outcome, union


def chain_needs(program: Program, chain: str) -> Needs:
    """Return what the stages of *chain* need, built as a host builds them; nothing if none.

    Raises:
        UnknownStage: the chain names a stage that is not installed.
    """
    found = program.chain(chain)
    site = Site(Store.for_program(program), _no_report)
    return union(build(name, program, site).needs for name in (found.stages if found else ()))


def _no_report(outcome: Outcome) -> None:
    """Nothing runs here, so nothing is reported."""
