"""Stages and chains: what is used from installed packages, and in which order stages run."""

import re
from collections.abc import Callable, Sequence

from headrace.dsl.checks.names import Names
from headrace.dsl.checks.settings import STAGE_SETTINGS, SettingCheck, Unavailable, Vocabulary
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import Chain, StageUse
from headrace.dsl.syntax.declarations import ChainBlock, StageBlock
from headrace.dsl.syntax.tree import Word
from headrace.dsl.vocabulary import STAGES

_ORIGIN = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?):([A-Za-z_]\w{0,99})")

# Package and attribute -> what that stage can be told, or why there is no such stage.
Declares = Callable[[str, str], Vocabulary | Unavailable]


def stages(
    blocks: Sequence[StageBlock], declares: Declares | None, problems: Problems
) -> dict[str, StageUse]:
    """Return the stages that the policy takes from packages, by the name it gives them."""
    found: dict[str, StageUse] = {}
    for block in blocks:
        if block.name.text in STAGES:
            message = f"the stage `{block.name.text}` is built in"
            help_ = "give this one another name"
            problems.add("S215", block.name.span, message, "the name is taken", help_)
        use = _stage(block, declares, problems)
        if use is not None:
            found.setdefault(use.name, use)
    return found


def _stage(block: StageBlock, declares: Declares | None, problems: Problems) -> StageUse | None:
    origin = _ORIGIN.fullmatch(block.origin.text)
    if origin is None:
        help_ = 'write package and attribute: `from "acme-headrace:Redactor"`'
        message = f"`{block.origin.text}` does not say where a stage comes from"
        problems.add("S228", block.origin.span, message, "not `PACKAGE:ATTRIBUTE`", help_)
        return None
    package, attribute = origin.groups()
    vocabulary = declares(package, attribute) if declares else None
    if isinstance(vocabulary, Unavailable):
        message = f"stage `{block.name.text}` cannot be used: {vocabulary.why}"
        label = "where it should come from"
        problems.add("S228", block.origin.span, message, label, vocabulary.cure)
        return None
    what = f"stage `{block.name.text}`"
    own = {s.name: s for s in STAGE_SETTINGS}
    if vocabulary is None:  # nobody here knows the package: only what all stages have is checked
        known = [s for s in block.settings if s.name.text in own]
        values = SettingCheck(what, block.span, problems, own).values(known)
        values |= {s.name.text: s.value for s in block.settings if s.name.text not in own}
    else:
        declared = own | {s.name: s for s in vocabulary.settings if s.name not in own}
        values = SettingCheck(what, block.span, problems, declared).values(block.settings)
    timeout_s, on_failure = values.pop("timeout", None), values.pop("on_failure", None)
    return StageUse(
        block.name.text,
        package,
        attribute,
        block.span,
        values,
        float(timeout_s) if timeout_s is not None else None,
        str(on_failure) if on_failure is not None else None,
    )


def chains(
    blocks: Sequence[ChainBlock], installed: frozenset[str], names: Names
) -> dict[str, Chain]:
    """Return the chains by name; their stages are installed or the policy's own."""
    known = installed | names.of("stage")
    found: dict[str, Chain] = {}
    for block in blocks:
        seen: dict[str, Word] = {}
        if not block.stages:
            message = f"chain `{block.name.text}` has no stages"
            help_ = f"stages: {', '.join(sorted(known))}"
            names.problems.add("S332", block.span, message, "empty", help_)
        for word in block.stages:
            first = seen.setdefault(word.text, word)
            if first is not word:
                related = (Related(first.span, "first time"),)
                message = f"`{word.text}` is twice in one chain"
                names.problems.add("S207", word.span, message, "second time", "remove it", related)
            names.used.add(("stage", word.text))
            if word.text not in known and not names.incomplete:
                help_ = did_you_mean(word.text, known, "installed stages")
                message = f"no stage `{word.text}` is installed"
                names.problems.add("S213", word.span, message, "unknown stage", help_)
        found.setdefault(block.name.text, Chain(block.name.text, tuple(seen), block.span))
    return found
