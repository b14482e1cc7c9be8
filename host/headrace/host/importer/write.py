"""A draft as the text of a policy, with comments that say what is not in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from headrace.host.importer.draft import Choice, Draft, DraftProfile, Overloaded, Rule
from headrace.host.importer.findings import Finding
from headrace.host.importer.words import block_name, comment, duration, number, text

_WIDTH = 98
_BREAKS = ("&& ", "|| ", "? ", ": ")
_DROPPED = "system saturated, sheddable request dropped"  # as the reference says it


@dataclass(frozen=True, slots=True)
class Served:
    """What a configuration does not say: the pool, its endpoints, and what callers ask for."""

    pool: str = "imported"
    endpoints: tuple[str, ...] = ("127.0.0.1:8000",)
    models: tuple[str, ...] = ("*",)


def write(draft: Draft, findings: Sequence[Finding], name: str, served: Served) -> str:
    """Return the policy for *draft*, imported from the file *name*."""
    lines = ["sched 1", ""]
    lines += _heading(name)
    lines += ["", *_title("where requests can go, and what callers ask for"), ""]
    lines += _pool(draft, served)
    for choice in draft.choices:
        lines += ["", *_choice(choice)]
    lines += ["", *_title("which endpoint is good")]
    for rule in draft.rules:
        lines += ["", *_rule(rule)]
    for profile in draft.profiles:
        lines += ["", *_profile(profile)]
    if draft.overload is not None:
        lines += ["", *_title("when it gets tight"), "", *_overload(draft.overload)]
    said = {line for rule in draft.rules for line in rule.comments}
    missing = [f for f in findings if not f.expressed and comment(f.what) not in said]
    if missing:
        lines += ["", *_title("what is not the same as in the reference"), "", *_missing(missing)]
    return "\n".join(lines) + "\n"


def _heading(name: str) -> Iterator[str]:
    yield from _said(f"Imported from {name} by `headrace import`.")
    yield from _said(
        "Such a configuration says how to choose an endpoint. Who serves, and which models with "
        "which priorities callers ask for, is said elsewhere: put your own into `pool` and `model`."
    )


def _title(words: str) -> Iterator[str]:
    yield f"# ── {words} ".ljust(80, "─")


def _said(sentence: str, indent: str = "") -> Iterator[str]:
    for line in wrap(comment(sentence), _WIDTH - 2 - len(indent), break_on_hyphens=False):
        yield f"{indent}# {line}"


def _pool(draft: Draft, served: Served) -> Iterator[str]:
    pool = block_name(served.pool)
    yield f"pool {pool} {{"
    yield f"  endpoints {', '.join(map(text, served.endpoints))}"
    yield f"  metrics {draft.metrics}"
    yield "}"
    yield ""
    names = ", ".join(map(block_name, served.models))
    profile = "" if draft.main == "default" else f"  profile {block_name(draft.main)}"
    yield f"model {names} {{ route {pool}{profile} }}"


def _choice(choice: Choice) -> Iterator[str]:
    condition = f"request.header({text(choice.header)}) == {text(choice.value)}"
    yield f"class {choice.name} when {condition} {{"
    yield f"  profile {block_name(choice.profile)}"
    yield "}"


def _rule(rule: Rule) -> Iterator[str]:
    for line in rule.comments:
        yield from _said(line)
    if not rule.text:
        yield from (f"override let {name} = {value}" for name, value in rule.lets)
        return
    line = f"{rule.keyword} {rule.name} = {rule.text}"
    if len(line) <= _WIDTH:
        yield line
    else:
        yield f"{rule.keyword} {rule.name} ="
        yield from (f"  {part}" for part in _broken(rule.text))


def _broken(expression: str) -> Iterator[str]:
    """Yield *expression* in lines, each but the first beginning with an operator."""
    start = depth = 0
    quoted = False
    for at, char in enumerate(expression):
        if char == '"' and expression[at - 1] != "\\":
            quoted = not quoted
        elif not quoted and char in "([":
            depth += 1
        elif not quoted and char in ")]":
            depth -= 1
        elif not quoted and depth == 0 and expression.startswith(_BREAKS, at):
            yield expression[start:at].rstrip()
            start = at
    yield expression[start:]


def _profile(profile: DraftProfile) -> Iterator[str]:
    yield f"profile {block_name(profile.name)} {{"
    if profile.require:
        yield f"  require {', '.join(profile.require)}"
    if profile.prefer:
        yield f"  prefer {', '.join(profile.prefer)}"
    if profile.scored:
        terms = " + ".join(f"{number(s.weight)} * {s.name}" for s in profile.scored)
        yield f"  score {terms}"
    yield from _said(profile.pick_comment, "  ")
    yield f"  pick {profile.pick}"
    yield "}"


def _overload(overload: Overloaded) -> Iterator[str]:
    yield from _said(f"As {overload.comment}.")
    yield f"overload when {overload.condition} {{"
    if overload.queue is None:
        yield f"  shed when request.priority < 0 with 429 {text(_DROPPED)}"
    else:
        queue = overload.queue
        fair = f" fair by request.header({text(queue.fair_header)})" if queue.fair_header else ""
        bounds = f"for up to {duration(queue.up_to_s)}, at most {queue.at_most}"
        yield f"  queue by request.priority{fair} {bounds}"
    yield "}"


def _missing(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        yield from _said(f"line {finding.line}, {finding.where}: {finding.sentence()}")
