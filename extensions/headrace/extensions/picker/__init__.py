"""The endpoint picker: which replica serves a request, and the record why."""

from headrace.dsl.program import Program
from headrace.extensions.picker.gate import Gate
from headrace.extensions.picker.stage import Picker
from headrace.extensions.picker.staging import PREFIX, rules_of
from headrace.extensions.registry import Site


def build(program: Program, site: Site) -> Picker:
    """Return the picker stage for *program*, on the site's store."""
    return Picker(
        program,
        site.store,
        site.seed,
        reads_prefix=any(
            rule.reads & PREFIX
            for profile in program.profiles.values()
            for rule in rules_of(profile)
        ),
        gate=Gate.of(program),
    )
