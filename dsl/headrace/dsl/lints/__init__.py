"""What is well formed and still cannot be meant: one module for each kind of doubt.

A finding is a proof, or is confirmed by an evaluation, or says that something is
unusual; what cannot be decided is not reported.
"""

from headrace.dsl.lints.conditions import conditions
from headrace.dsl.lints.overlap import overlap
from headrace.dsl.lints.priorities import inversions, spared
from headrace.dsl.lints.scores import picks, ranges
from headrace.dsl.lints.server_metrics import absent, server_metrics
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.texts import bidirectional, numbers
from headrace.dsl.lints.times import times
from headrace.dsl.lints.unfilled import unfilled
from headrace.dsl.lints.unscreened import unscreened
from headrace.dsl.lints.unused import unused
from headrace.dsl.problems.codes import Level

__all__ = ["Subject", "absent", "bidirectional", "lint"]


def lint(subject: Subject) -> None:
    """Add what is doubtful in *subject* to its problems."""
    broken = any(d.level is Level.ERROR for d in subject.problems.found)
    unused(subject)
    conditions(subject)
    spared(subject)
    ranges(subject)
    server_metrics(subject)
    if broken:
        return  # what is not understood yet may cure the rest
    overlap(subject)
    inversions(subject)
    picks(subject)
    times(subject)
    numbers(subject)
    unfilled(subject)
    unscreened(subject)
