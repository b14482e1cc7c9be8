"""From objectives and rewrites to what stages read of a pool. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from headrace.dsl.program import Program
from headrace.dsl.serving import InferencePoolRef
from headrace.extensions.directory import Notes, Targets
from headrace.host.cluster.reading import Flaw, Objective, Rewrite


@dataclass(frozen=True, slots=True)
class Said:
    """What was read of one namespace, whoever's pool it is of; of two groups the newer first."""

    objectives: tuple[Objective, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()


def notes_of(pool: str, said: Said) -> Notes:
    """Return what *said* has of the InferencePool *pool*.

    Of two objectives of a name the first counts. Rewrites go by the oldest resource and its
    first rule; one that names the model goes before one for all.
    Source: llm-d-router, InferenceModelRewrite.
    """
    ours = [one for one in said.objectives if one.pool == pool]
    priorities: dict[str, int] = {}
    of_models: dict[str, str] = {}
    for objective in ours:
        priorities.setdefault(objective.name, objective.priority)
        for model in objective.models:
            of_models.setdefault(model, objective.name)
    exact: dict[str, Targets] = {}
    every: Targets | None = None
    rewrites = [one for one in said.rewrites if one.pool == pool]
    for rewrite in sorted(rewrites, key=lambda one: (one.created, one.name)):
        for number, rule in enumerate(rewrite.rules):
            targets = Targets.of(f"{rewrite.name}/{number}", rule.targets, rule.weights)
            for model in rule.models:
                exact.setdefault(model, targets)
            if not rule.models:
                every = every or targets
    return Notes(priorities, of_models, exact, every)


def strays(said: Said, pools: Iterable[str]) -> Iterator[Flaw]:
    """Yield what is of none of *pools*: it has no effect in this process."""
    known = frozenset(pools)
    everything: tuple[Objective | Rewrite, ...] = (*said.objectives, *said.rewrites)
    for one in everything:
        if one.pool not in known:
            yield Flaw(one.name, "other-pool", f"its pool `{one.pool}` is not one of the policy's")


def overruled(program: Program, notes: Mapping[InferencePoolRef, Notes]) -> Iterator[str]:
    """Yield, a line each, where *program* and the cluster say different things: the policy wins."""
    for pool in program.pools.values():
        if pool.inference_pool is None:
            continue
        said = notes.get(pool.inference_pool, Notes())
        for name, objective in program.objectives.items():
            theirs = said.priorities.get(name, objective.priority)
            if theirs != objective.priority:
                yield (
                    f"objective `{name}` has priority {objective.priority} by the policy, and "
                    f"{theirs} by the InferenceObjective of pool `{pool.name}`"
                )
        for model, name in said.of_models.items():
            known = program.models.get(model)
            if known is not None and known.states_priority:
                yield (
                    f"model `{model}` has priority {known.priority} by the policy, and the "
                    f"InferenceObjective `{name}` of pool `{pool.name}` names it, too"
                )
