"""What the guards of a policy need of this machine and do not find: told before it serves."""

from collections.abc import Mapping
from importlib import import_module

from headrace.dsl.guarding import Guard
from headrace.dsl.program import Program
from headrace.host.clients.armor_wire import MESSAGES, installed, messages
from headrace.host.clients.secrets import flaw


def lacking(program: Program, environment: Mapping[str, str]) -> str:
    """Return what the first guard that cannot ask its provider lacks; "" if all can."""
    return next((why for guard in program.guards if (why := _of(guard, environment))), "")


def ready(program: Program) -> None:
    """Import what the guards of *program* ask by, so that no exchange waits for it. Blocks."""
    if any(_by_grpc(guard) for guard in program.guards) and installed():
        import_module("headrace.host.clients.rpc")  # with it comes grpcio
        for method in MESSAGES:
            messages(method)


def _by_grpc(guard: Guard) -> bool:
    transports = () if guard.ask is None else guard.ask.settings.get("transport", ())
    return any(value == "grpc" for value, _ in transports)


def _of(guard: Guard, environment: Mapping[str, str]) -> str:
    if guard.ask is None:
        return ""
    for header, variable in guard.ask.secrets.items():
        why = flaw(variable, environment)
        if why:
            return f"guard `{guard.name}` takes the header `{header}` from the environment: {why}"
    if _by_grpc(guard) and not installed():
        return (
            f"guard `{guard.name}` asks by gRPC, which needs google-cloud-modelarmor: "
            "install `headrace[model-armor]`, or write `transport rest`"
        )
    return ""
