"""What a guard says and what could never take effect beside the rest of it.

A guard that loads and does nothing is worse than none: each of these is an error.
"""

from headrace.dsl.guarding import Streamed
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.program import Guard, OnMatch, Provision
from headrace.dsl.providers import SCHEMAS
from headrace.dsl.syntax.declarations import GuardBlock

LOCAL = ("patterns", "detect", "deny")
REMOTE = ("template", "response_template", "ask")
# Of a provider that is asked; what is said -> how it is written.
_ASKING = {
    "timeout": "timeout",
    "at_once": "at most",
    "cache": "cache",
    "breaker": "break",
    "on error": "on error",
    "on timeout": "on timeout",
    "on partial": "on partial",
}
_CHANGED = {OnMatch.REDACT: "redacted", OnMatch.MASK: "masked"}


def check(block: GuardBlock, guard: Guard, problems: Problems) -> None:
    """Report what *block*, which is compiled to *guard*, says for nothing."""
    finding = _Finding(block, problems)
    if not block.asks:
        here = next((verb for verb in LOCAL if verb in block.spans), "")
        help_ = f"remove it: `{here}` looks here, in linear time, and cannot fail"
        for key, verb in _ASKING.items():
            finding.useless(key, f"`{verb}` has no effect beside `{here}`", help_, when=bool(here))
    _directions(guard, finding)
    if guard.ask is not None:
        _provider(guard, guard.ask, finding)


class _Finding:
    """Reports statements of one block by their keys."""

    __slots__ = ("block", "problems")

    def __init__(self, block: GuardBlock, problems: Problems) -> None:
        self.block, self.problems = block, problems

    def useless(
        self, key: str, message: str, help_: str, because: str = "", *, when: bool = True
    ) -> None:
        """Report the statement *key*, if the block has it and *when*; *because* of another."""
        span = self.block.spans.get(key)
        if span is None or not when:
            return
        other = self.block.spans.get(because)
        related = (Related(other, "because of this"),) if other else ()
        self.problems.add("S217", span, message, "no effect", help_, related)


def _directions(guard: Guard, finding: _Finding) -> None:
    """Report what is for one direction in a guard that inspects the other."""
    answers, prompts = "response" in guard.inspect, "prompt" in guard.inspect
    for key in ("window", "stream"):
        message = f"`{key}` is of answers, and this guard inspects prompts only"
        finding.useless(
            key, message, "write `inspect prompt, response`", "inspect", when=not answers
        )
    message = "`scope` is of prompts, and this guard inspects answers only"
    finding.useless(
        "scope", message, "write `inspect prompt, response`", "inspect", when=not prompts
    )
    message = "masking begins with the prompt, and this guard inspects answers only"
    help_ = "write `inspect prompt`, or `on match redact`"
    finding.useless("on match mask", message, help_, "inspect", when=not prompts)
    if guard.streamed is Streamed.OBSERVE and guard.on_match in _CHANGED:
        done = _CHANGED[guard.on_match]
        message = f"a stream that is only observed has passed before it could be {done}"
        help_ = "write `stream hold`, or `on match log`"
        finding.useless("stream", message, help_, f"on match {guard.on_match.value}")


def _provider(guard: Guard, ask: Provision, finding: _Finding) -> None:
    """Report what this provider cannot do."""
    schema = SCHEMAS[ask.provider]
    for direction in sorted(guard.inspect - schema.directions):
        message = f"`{ask.provider}` does not judge a {direction}"
        help_ = f"it judges: {', '.join(sorted(schema.directions))}"
        finding.useless(f"inspect {direction}", message, help_)
    rewrites = schema.rewrites and (not schema.readings or "text" in ask.rules)
    if guard.on_match is OnMatch.REDACT and not (schema.locates or rewrites):
        message = f"`{ask.provider}` does not say where its finding is, so it cannot be redacted"
        help_ = "write `on match block`"
        if schema.readings:
            help_ = "say what the text should be: `text answer.clean`; or `on match block`"
        finding.useless("on match redact", message, help_)
    if guard.on_match is OnMatch.MASK and not schema.locates:
        message = f"`{ask.provider}` does not say where its finding is, so it cannot be masked"
        finding.useless("on match mask", message, "write `on match block`")
    key = "response_template" if "response_template" in finding.block.spans else "ask"
    if "response_template" in ask.settings and "response" not in guard.inspect:
        message = "`response template` has no effect: this guard inspects prompts only"
        finding.useless(key, message, "write `inspect prompt, response`")
    if "prompt" not in guard.inspect and {"template", "response_template"} <= set(ask.settings):
        if not _for_all(ask, "response_template"):
            return  # of other models the one template judges answers too
        key = "template" if "template" in finding.block.spans else "ask"
        message = "`template` has no effect: answers have a `response template`"
        finding.useless(key, message, "write `inspect prompt, response`, or remove it")


def _for_all(ask: Provision, name: str) -> bool:
    """Return whether the setting *name* is said for whatever model there is."""
    return any(not of for _, of in ask.settings.get(name, ()))
