"""Headers whose values come from the environment, so that no policy has a secret."""

from collections.abc import Iterable, Mapping

from headrace.dsl.program import Program
from headrace.extensions.safety.contract import Kind, Secret, Trouble


def missing(program: Program, environment: Mapping[str, str]) -> str:
    """Return which secret of a guard cannot be had from *environment*; "" if all can."""
    for guard in program.guards:
        if guard.ask is None:
            continue
        for header, variable in guard.ask.secrets.items():
            why = _flaw(variable, environment)
            if why:
                where = f"guard `{guard.name}` takes the header `{header}` from the environment"
                return f"{where}: {why}"
    return ""


def headers_of(
    secrets: Iterable[Secret], environment: Mapping[str, str]
) -> dict[str, str] | Trouble:
    """Return the headers of *secrets*, or why one cannot be had; a value is never told."""
    headers: dict[str, str] = {}
    for secret in secrets:
        why = _flaw(secret.variable, environment)
        if why:
            return Trouble(Kind.ERROR, f"header `{secret.header}`: {why}")
        headers[secret.header] = secret.prefix + environment[secret.variable].strip()
    return headers


def _flaw(variable: str, environment: Mapping[str, str]) -> str:
    value = environment.get(variable, "").strip()
    if not value:
        return f"`{variable}` is not set, set it before `headrace serve`"
    if not value.isprintable() or not value.isascii():
        return f"`{variable}` has characters that no header may have"
    return ""
