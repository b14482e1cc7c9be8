"""Stages that a policy takes from installed packages: `stage NAME from "PACKAGE:ATTRIBUTE"`.

Only packages that offer stages are ever imported: those with an entry point in the group
`headrace.stages`. A policy can therefore not make the host import just any module.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Protocol, cast

from headrace.dsl.checks.settings import Unavailable, Vocabulary
from headrace.dsl.program import Program, Scalar, StageUse
from headrace.extensions.stage import ExchangeInfo, Filter, Needs, OnFailure, Stage

if TYPE_CHECKING:
    from headrace.extensions.registry import Site

GROUP = "headrace.stages"


class Offer(Protocol):
    """What the attribute of a package has to have, usually a class with a class method."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    def build(self, program: Program, site: "Site", settings: Mapping[str, Scalar]) -> Stage:
        """Build the stage. *settings* are checked and complete, in base units."""
        ...


@dataclass(frozen=True, slots=True)
class Used:
    """A stage under the name that a policy gives it, with the policy's timeout and failure road."""

    stage: Stage = field(repr=False)
    name: str
    needs: Needs
    deadline_s: float
    on_failure: OnFailure

    def open(self, info: ExchangeInfo) -> Filter | None:
        """Return the stage's own filter for one exchange."""
        return self.stage.open(info)


def declared(package: str, attribute: str) -> Vocabulary | Unavailable:
    """Return what the stage *attribute* of *package* can be told, or why there is none."""
    found = _offer(package, attribute)
    return found if isinstance(found, Unavailable) else found.vocabulary


def build_used(use: StageUse, program: Program, site: "Site") -> Stage:
    """Build the stage that *use* asks for.

    Raises:
        LookupError: the package has gone since the policy was compiled.
    """
    found = _offer(use.package, use.attribute)
    if isinstance(found, Unavailable):
        raise LookupError(found.why)
    stage = found.build(program, site, use.settings)
    on_failure = OnFailure(use.on_failure) if use.on_failure else stage.on_failure
    deadline_s = stage.deadline_s if use.timeout_s is None else use.timeout_s
    return Used(stage, use.name, stage.needs, deadline_s, on_failure)


def _offer(package: str, attribute: str) -> Offer | Unavailable:
    try:
        points = distribution(package).entry_points.select(group=GROUP)
    except PackageNotFoundError:
        cure = f"install it beside headrace: `pip install {package}`"
        return Unavailable(f"the package `{package}` is not installed", cure)
    modules = sorted({point.module for point in points})
    if not modules:
        cure = f"a package that has some names them as entry points `{GROUP}`"
        return Unavailable(f"the package `{package}` offers no stages", cure)
    return _in_modules(modules, package, attribute)


def _in_modules(modules: Iterable[str], package: str, attribute: str) -> Offer | Unavailable:
    for name in modules:
        try:
            module = import_module(name)
        except Exception as error:
            why = f"`{name}` cannot be imported: {type(error).__name__}: {error}"
            return Unavailable(why.splitlines()[0], f"repair the package `{package}`")
        found: object = getattr(module, attribute, None)
        if found is None:
            continue
        vocabulary: object = getattr(found, "vocabulary", None)
        if isinstance(vocabulary, Vocabulary) and callable(getattr(found, "build", None)):
            return cast(Offer, found)
        cure = "it needs a `vocabulary` and a `build`, as described in `write a stage`"
        return Unavailable(f"`{attribute}` of `{package}` is no stage with settings", cure)
    return Unavailable(f"`{package}` has no `{attribute}`", "see what the package offers")
