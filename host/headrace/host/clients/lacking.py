"""What the guards of a policy need of this machine and do not find: told before it serves."""

from collections.abc import Mapping

from headrace.dsl.guarding import Guard
from headrace.dsl.program import Program
from headrace.host.clients.armor_wire import installed
from headrace.host.clients.secrets import flaw


def lacking(program: Program, environment: Mapping[str, str]) -> str:
    """Return what the first guard that cannot ask its provider lacks; "" if all can."""
    return next((why for guard in program.guards if (why := _of(guard, environment))), "")


def _of(guard: Guard, environment: Mapping[str, str]) -> str:
    if guard.ask is None:
        return ""
    for header, variable in guard.ask.secrets.items():
        why = flaw(variable, environment)
        if why:
            return f"guard `{guard.name}` takes the header `{header}` from the environment: {why}"
    transports = guard.ask.settings.get("transport", ())
    if any(value == "grpc" for value, _ in transports) and not installed():
        return (
            f"guard `{guard.name}` asks by gRPC, which needs google-cloud-modelarmor: "
            "install `headrace[model-armor]`, or write `transport rest`"
        )
    return ""
