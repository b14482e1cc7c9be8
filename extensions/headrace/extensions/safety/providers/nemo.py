"""NeMo Guardrails: runs the rails of a configuration over a text.

Source: `POST /v1/checks` of its server (nemoguardrails 0.24 and later).
"""

from msgspec import Struct

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.contract import (
    Hit,
    Http,
    Judged,
    Provider,
    Reach,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers.asking import (
    ProviderFault,
    Replied,
    caller,
    failed,
    found,
    read,
    word,
)
from headrace.extensions.safety.providers.each import AT_ONCE_MAX, Each, Single, messages_of
from headrace.extensions.safety.providers.settings import Settings

REACH = Reach(chars_max=100_000, texts_max=AT_ONCE_MAX, locates=True)
RAILS = {"prompt": "input", "response": "output"}


class Checked(Struct):
    """Its answer: `passed`, `modified` (into *content*) or `blocked` (by *rail*)."""

    status: str
    content: str | None = None
    rail: str | None = None


def nemo(guard: Guard) -> Provider:
    """Return the provider that runs the rails of the configurations that *guard* names."""
    settings, http = Settings(guard), caller(guard, bearer=True)
    configs, rails = settings.texts("config"), settings.texts("rails")
    if not configs:
        raise ProviderFault(guard, '`config` is missing, add `config "..."`')

    def ask(single: Single) -> Http:
        chosen = list(rails) or [RAILS[single.asked.direction.value]]
        guardrails = {"config_ids": configs, "rail_types": chosen}
        model = single.asked.context.model
        body = {"model": model, "messages": messages_of(single), "guardrails": guardrails}
        return http.post("/v1/checks", body)

    return Each("nemo", REACH, ask, judge)


def judge(reply: Replied, single: Single) -> Judged:
    """Return what the server says of one text."""
    answer = read(reply, Checked)
    if isinstance(answer, Trouble):
        return answer
    rail = word(answer.rail or "rail")
    match answer.status:
        case "passed" | "success":
            return Verdict()
        case "blocked":
            return found(rail, single.at)
        case "modified" if answer.content is not None:
            return Verdict((Hit(rail, single.at),), {single.at: answer.content})
        case other:
            return failed(f"unknown status `{word(other)}`")
