"""The endpoint picker: which replica serves a request, and the record why."""

from headrace.dsl.program import Program, Rule
from headrace.extensions.picker.stage import Picker
from headrace.extensions.registry import Site

PREFIX = frozenset({"endpoint.prefix_match", "request.prefix"})


def build(program: Program, site: Site) -> Picker:
    """Return the picker stage for *program*, on the site's store."""
    return Picker(
        program,
        site.store,
        site.seed,
        reads_prefix=any(rule.reads & PREFIX for rule in _rules(program)),
    )


def _rules(program: Program) -> list[Rule]:
    """Return every rule that looks at endpoints."""
    rules: list[Rule] = []
    for profile in program.profiles.values():
        rules += [f.rule for f in (*profile.require, *profile.prefer)]
        rules += [t.scorer.rule for t in profile.terms]
        rules += [profile.ties.rule] if profile.ties else []
    return rules
