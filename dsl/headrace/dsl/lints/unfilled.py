"""What rules read and nothing of the policy fills: S323."""

from collections.abc import Iterator

from headrace.dsl import library
from headrace.dsl.cel.typed import Op
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import parts
from headrace.dsl.program import Program
from headrace.dsl.serving import Pool
from headrace.dsl.source import Span

# Read from headers that are stripped unless they are trusted. A session has others, too.
_TRUSTED = {
    "request.fairness_id": "fairness_id",
    "request.ttl": "ttl",
    "request.slo_ttft": "slo",
    "request.slo_tpot": "slo",
}
# Labels are not here: who reads one has to say what counts where it is missing.
_SAID = {
    "endpoint.zone": 'zone "eu-1a"',
    "endpoint.role": "role prefill",
}
_GPU = "endpoint.gpu"
_PEER = ("endpoint.peer_labels", "endpoint.peer_zone")


def unfilled(subject: Subject) -> None:
    """Warn of each name that a rule of the policy's own reads, and that is empty always."""
    program, warned = subject.program, set[str]()
    for name, span in _reads(program):
        if name in warned:
            continue
        why, label, help_ = _empty(name, program)
        if why:
            warned.add(name)
            subject.problems.add("S323", span, f"`{name}` {why}", label, help_)


def _reads(program: Program) -> Iterator[tuple[str, Span]]:
    for rule in program.rules:
        if rule.typed is None or library.is_of(rule.span):
            continue  # what stands in the library is made for those who have none of it, too
        for part in parts(rule.typed):
            name = getattr(part.value, "name", "") if part.op is Op.READ else ""
            if not library.is_of(part.span):
                yield name, part.span


def _empty(name: str, program: Program) -> tuple[str, str, str]:
    """Return why *name* is always empty, a label and the cure; empty texts if it is not."""
    trust = _TRUSTED.get(name)
    if trust is not None and not any(trust in t.names for t in program.trusts):
        help_ = f'write `trust {{ {trust} from request.header("x-from") == "mesh" }}`'
        return "is never there: its header is trusted from nobody", "always missing", help_
    if name in _PEER and not any(profile.beside for profile in program.profiles.values()):
        help_ = "write `also pick prefill by profile NAME` in the profile that picks first"
        return "is empty: nobody is picked beside another", "always empty", help_
    pools = program.pools.values()
    if not pools:
        return "", "", ""
    if name in _SAID and not any(_says(name, pool) for pool in pools):
        help_ = f'write `endpoint "10.0.0.1:8000" {{ {_SAID[name]} }}` in the pool'
        return "is empty: no pool says it of an endpoint", "always empty", help_
    if name == _GPU and not any(pool.gpu or pool.dialect.gpu for pool in pools):
        return (
            "is never there: no pool says who reports it",
            "always missing",
            "add `gpu from dcgm`",
        )
    return "", "", ""


def _says(name: str, pool: Pool) -> bool:
    if not pool.endpoints:
        return True  # Kubernetes says it
    field = name.partition(".")[2]
    return any(getattr(member, field) for member in pool.members)
