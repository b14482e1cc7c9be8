"""Guardrails AI: validates a text by a guard of its server, which may correct it.

Source: `POST /guards/{name}/validate` of guardrails-api. Servers up to 0.3 spell JSON in
camelCase, later ones in snake_case; answers are read in both.
"""

from urllib.parse import quote

from msgspec import Struct, field

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.contract import (
    Hit,
    Http,
    HttpReply,
    Judged,
    Provider,
    Reach,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers.asking import (
    Replied,
    caller,
    failed,
    found,
    read,
    word,
)
from headrace.extensions.safety.providers.each import AT_ONCE_MAX, Each, Single
from headrace.extensions.safety.providers.settings import Settings

REACH = Reach(chars_max=100_000, texts_max=AT_ONCE_MAX, locates=True)
EXCEPTION = b"Validation failed"  # what `on_fail=exception` answers with, status 400
CASINGS = {"snake": "llm_output", "camel": "llmOutput"}


class Summary(Struct):
    """One validator that did not pass."""

    snake: str = field(default="", name="validator_name")
    camel: str = field(default="", name="validatorName")


class Outcome(Struct):
    """The answer, in either spelling."""

    passed: bool | None = field(default=None, name="validation_passed")
    camel_passed: bool | None = field(default=None, name="validationPassed")
    output: object = field(default=None, name="validated_output")
    camel_output: object = field(default=None, name="validatedOutput")
    summaries: list[Summary] | None = field(default=None, name="validation_summaries")
    camel_summaries: list[Summary] | None = field(default=None, name="validationSummaries")


def guardrails_ai(guard: Guard) -> Provider:
    """Return the provider that validates by the server's guard that *guard* names."""
    settings, http = Settings(guard), caller(guard, bearer=True)
    name = settings.text("guard")
    field_name = CASINGS.get(settings.text("casing", "snake"), "llm_output")
    path = f"/guards/{quote(name, safe='')}/validate"

    def ask(single: Single) -> Http:
        return http.post(path, {field_name: single.text.text})

    return Each("guardrails_ai", REACH, ask, lambda reply, single: judge(reply, single, name))


def judge(reply: Replied, single: Single, name: str) -> Judged:
    """Return what the guard *name* says of one text; a text that it corrects is a finding."""
    if isinstance(reply, HttpReply) and reply.status == 400 and EXCEPTION in reply.body:
        return found(name, single.at)
    answer = read(reply, Outcome)
    if isinstance(answer, Trouble):
        return answer
    passed = answer.camel_passed if answer.passed is None else answer.passed
    if passed is None:
        return failed("the answer does not say whether the validation passed")
    output = answer.camel_output if answer.output is None else answer.output
    summaries = answer.summaries or answer.camel_summaries or ()
    named = dict.fromkeys(word(s.snake or s.camel) for s in summaries if s.snake or s.camel)
    hits = tuple(Hit(what, single.at) for what in named or [word(name)])
    corrected = isinstance(output, str) and output != single.text.text
    if passed and not corrected:
        return Verdict()
    return Verdict(hits, {single.at: output} if corrected and isinstance(output, str) else {})
