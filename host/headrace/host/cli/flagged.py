"""A command whose flags are the fields of a dataclass: for those that have many."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Given = TypeVar("Given", bound="DataclassInstance")


def flagged(flags: type[Given]) -> Callable[[Callable[[Given], None]], Callable[..., None]]:
    """Return a decorator: typer sees the fields of *flags* as parameters, the command one value.

    The fields are annotated as typer's parameters are, and have their defaults.
    """

    def decorate(command: Callable[[Given], None]) -> Callable[..., None]:
        @wraps(command)
        def called(**given: Any) -> None:  # Any: each flag has its own type
            command(flags(**given))

        hints = get_type_hints(flags, include_extras=True)
        parameters = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in fields(flags)
        ]
        # What typer asks for, and what it is not told by `wraps`.
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = hints
        del called.__wrapped__
        return called

    return decorate
