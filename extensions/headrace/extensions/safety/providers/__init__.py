"""Guards that ask somebody: one provider per API, all pure. What they send is in their modules."""

from collections.abc import Callable, Mapping

from headrace.dsl.guarding import Guard
from headrace.extensions.safety import given
from headrace.extensions.safety.contract import Provider
from headrace.extensions.safety.providers.asking import ProviderFault, provision_of
from headrace.extensions.safety.providers.generic import http
from headrace.extensions.safety.providers.guardrails_ai import guardrails_ai
from headrace.extensions.safety.providers.lakera import lakera
from headrace.extensions.safety.providers.llama_guard import llama_guard
from headrace.extensions.safety.providers.model_armor import model_armor
from headrace.extensions.safety.providers.moderation import openai_moderation
from headrace.extensions.safety.providers.nemo import nemo
from headrace.extensions.safety.providers.presidio import presidio

__all__ = ["PROVIDERS", "ProviderFault", "remote"]

PROVIDERS: Mapping[str, Callable[[Guard], Provider]] = {
    "model_armor": model_armor,
    "nemo": nemo,
    "llama_guard": llama_guard,
    "presidio": presidio,
    "lakera": lakera,
    "openai_moderation": openai_moderation,
    "guardrails_ai": guardrails_ai,
    "http": http,
}


def remote(guard: Guard) -> Provider:
    """Return the provider that *guard* asks.

    Raises:
        ProviderFault: its settings cannot be used, or nobody knows the provider.
    """
    name = provision_of(guard).provider
    if name == given.NAME:  # a test of the policy stands in for it
        return given.given(guard)
    if name not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise ProviderFault(guard, f"unknown provider `{name}`; known: {known}")
    return PROVIDERS[name](guard)
