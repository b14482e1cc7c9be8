"""What a policy says to a provider, read by name."""

from dataclasses import dataclass

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.providers.asking import ProviderFault, provision_of


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one guard's provider. What cannot be used raises ProviderFault."""

    guard: Guard

    def text(self, name: str, default: str | None = None) -> str:
        """Return the one value of *name*; without a *default* there must be one."""
        values = self.texts(name)
        if values:
            return values[0]
        if default is None:
            raise ProviderFault(self.guard, f'`{name}` is missing, add `{name} "..."`')
        return default

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of *name*, in order."""
        return tuple(str(value) for value, _ in provision_of(self.guard).settings.get(name, ()))

    def truth(self, name: str, default: bool) -> bool:
        """Return whether *name* is set to something that is neither ``false`` nor 0."""
        values = self.texts(name)
        return values[0] not in ("false", "False", "0", "0.0") if values else default

    def number(self, name: str) -> float | None:
        """Return the number that is set for all, or None."""
        return self.numbers(name).get("")

    def numbers(self, name: str) -> dict[str, float]:
        """Return what each number of *name* is for -> the number; "" is for all the others."""
        found: dict[str, float] = {}
        for value, subject in provision_of(self.guard).settings.get(name, ()):
            if isinstance(value, str):
                raise ProviderFault(self.guard, f"`{name}` is a number, not `{value}`")
            found[subject] = float(value)
        return found

    def by_subject(self, name: str) -> dict[str, str]:
        """Return what each value of *name* is for -> the value; "" is for all the others."""
        values = provision_of(self.guard).settings.get(name, ())
        return {subject: str(value) for value, subject in values}
