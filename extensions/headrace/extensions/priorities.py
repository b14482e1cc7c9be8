"""How much a request matters, before classes: by the objective that says so first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headrace.dsl.program import Model, Program
from headrace.extensions.directory import NO_NOTES, Directory, Notes

Found = tuple[int, str] | None


def _nothing(pool: str) -> Notes:
    return NO_NOTES


@dataclass(frozen=True, slots=True)
class Priorities:
    """The objectives of a policy, and those of a cluster beside them.

    stated  of the policy, by name: it goes before a cluster's of the same name
    notes   pool -> what a cluster says of it
    clustered  whether a cluster may say anything at all
    """

    stated: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: Callable[[str], Notes] = field(default=_nothing, repr=False)
    clustered: bool = False

    def find(self, name: str, pool: str) -> Found:
        """Return what is known of the objective *name* for a request for *pool*."""
        priority = self.stated.get(name)
        if priority is None and self.clustered:
            priority = self.notes(pool).priorities.get(name)
        return None if priority is None else (priority, name)

    def of_model(self, model: Model, asked: str, pool: str) -> tuple[int, str]:
        """Return the priority of a request for *model*, and the objective that it is of.

        What the policy states of the model goes before an objective that names it.
        """
        if self.clustered and not model.states_priority:
            notes = self.notes(pool)
            name = notes.of_models.get(asked, "")
            if name:
                return notes.priorities[name], name
        return model.priority, model.objective or ""


def priorities(program: Program, directory: Directory) -> Priorities:
    """Return the objectives of *program*, and those that *directory* will tell of its pools."""
    refs = {name: p.inference_pool for name, p in program.pools.items() if p.inference_pool}
    stated = {name: found.priority for name, found in program.objectives.items()}
    return Priorities(stated, lambda pool: directory.of(refs.get(pool)), bool(refs))
