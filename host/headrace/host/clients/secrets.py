"""Headers whose values come from the environment, so that no policy has a secret."""

from collections.abc import Iterable, Mapping

from headrace.extensions.safety.contract import Kind, Secret, Trouble


def headers_of(
    secrets: Iterable[Secret], environment: Mapping[str, str]
) -> dict[str, str] | Trouble:
    """Return the headers of *secrets*, or why one cannot be had; a value is never told."""
    headers: dict[str, str] = {}
    for secret in secrets:
        why = flaw(secret.variable, environment)
        if why:
            return Trouble(Kind.ERROR, f"header `{secret.header}`: {why}")
        headers[secret.header] = secret.prefix + environment[secret.variable].strip()
    return headers


def flaw(variable: str, environment: Mapping[str, str]) -> str:
    """Return why *variable* cannot be the value of a header; "" if it can."""
    value = environment.get(variable, "").strip()
    if not value:
        return f"`{variable}` is not set, set it before `headrace serve`"
    if not value.isprintable() or not value.isascii():
        return f"`{variable}` has characters that no header may have"
    return ""
