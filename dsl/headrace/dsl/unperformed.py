"""What the language has and no part of the host performs yet.

A policy that uses any of it compiles. `headrace check` warns of it, and what would serve
the policy refuses to start: nothing that is written is ever silently without effect.
Whoever builds one of these deletes its row.
"""

from collections.abc import Mapping

from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.program import Program
from headrace.dsl.source import Span

LATENCY = "an objective for a latency that no rule reads"
# By the keys of `Program.uses`: what it is called, and what to write until then.
STATEMENTS: Mapping[str, tuple[str, str]] = {
    "model.latency": (LATENCY, "read it in a rule, as `model.objective`, or set `priority`"),
    "profile.plugin": ("`use plugin`", "write the scorer as an expression"),
}


def unperformed(program: Program) -> tuple[Diagnostic, ...]:
    """Return a warning for every place where *program* uses what no part of the host performs."""
    found: list[Diagnostic] = []
    read = frozenset[str]().union(*(rule.reads for rule in program.rules))
    for use in program.uses:
        if use.what == "model.latency" and _is_read(program, read):
            continue
        if use.what in STATEMENTS:
            what, cure = STATEMENTS[use.what]
            found.append(_warning(what, cure, use.span))
    return tuple(dict.fromkeys(found))


def _is_read(program: Program, read: frozenset[str]) -> bool:
    """Return whether a rule reads the latencies that models state, as it is or by tokens."""
    latencies = (model.latency for model in program.models.values() if model.latency)
    by_tokens = "endpoint.slo_slack" in read and all(one.per_token for one in latencies)
    return by_tokens or "model.objective" in read


def _warning(what: str, cure: str, span: Span) -> Diagnostic:
    message = f"{what} is understood, and this host does not perform it yet"
    return Diagnostic("S108", Level.WARNING, message, span, "no effect yet", f"until then, {cure}")
