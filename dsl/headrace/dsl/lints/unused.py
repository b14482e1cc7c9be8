"""What has no effect: S307 (never used), S322 (nobody can serve it), S333 (no stage for it)."""

from collections.abc import Iterator

from headrace.dsl import library
from headrace.dsl.cel.interval import ANY_BOOL
from headrace.dsl.cel.kinds import BOOL, STRING
from headrace.dsl.cel.typed import Op, Typed, node
from headrace.dsl.checks.names import DEFAULT, EXPRESSIONS
from headrace.dsl.lints.cases import possible
from headrace.dsl.lints.subject import Subject
from headrace.dsl.problems.diagnostic import Related
from headrace.dsl.program import DEFAULT_CHAIN
from headrace.dsl.source import Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.vocabulary import variables

_UNUSED = {
    "pool": "no model routes to it",
    "objective": "no model names it",
    "profile": "no model, pool, class or profile names it",
    "filter": "no profile requires or prefers it",
    "scorer": "no profile scores by it",
    "cost": "no profile minimizes it",
    "stage": "no chain has it",
    "let": "no expression uses it",
}


_OF_SESSIONS = frozenset({"endpoint.session_match", "request.session"})


def unused(subject: Subject) -> None:
    """Report definitions that nothing refers to, and blocks that no stage performs."""
    _never_used(subject)
    _overridden_for_nothing(subject)
    _adapters(subject)
    _sessions(subject)
    _unserved(subject)
    _without_stage(subject)


def _never_used(subject: Subject) -> None:
    """Warn of what is defined and never used; unread blocks may use anything."""
    names = subject.names
    if names.broken:
        return
    trusted = (w.text for b in subject.of(said.TrustBlock) for e in b.entries for w in e.names)
    by_header = "objective" in trusted
    for kind, why in _UNUSED.items():
        if kind == "pool" and subject.program.picks_alone:
            continue
        for word in names.unused(kind):
            if library.is_of(word.span):
                continue  # it stands there for another of the library
            if (kind == "profile" and word.text == DEFAULT) or (kind == "objective" and by_header):
                continue
            message = f"{kind} `{word.text}` is never used"
            subject.problems.add("S307", word.span, message, why, "use it or remove it")


def _overridden_for_nothing(subject: Subject) -> None:
    """Warn of an `override` of the library that nothing which is used goes by."""
    if subject.names.broken:
        return
    unused = {word.text for kind in EXPRESSIONS for word in subject.names.unused(kind)}
    for block in subject.of(said.RuleBlock):
        of_library = library.is_of(block.name.span) and not library.is_of(block.value.span)
        if of_library and block.name.text in unused:
            name = block.name.text
            message = f"`{name}` of the library is overridden, and nothing here goes by it"
            help_ = "remove it, or use what goes by it"
            subject.problems.add("S307", block.value.span, message, "no effect", help_)


def _adapters(subject: Subject) -> None:
    """Warn of adapters on a pool that does not say how many it can hold."""
    pools = {b.name.text: b for b in subject.of(said.PoolBlock)}
    for block in subject.of(said.ModelBlock):
        if block.adapter_of is None:
            continue
        pool = pools.get(block.adapter_of.text)
        if pool is not None and pool.adapters is None:
            word = block.adapter_of
            message = f"pool `{word.text}` does not say that it has adapters"
            help_ = f"add `adapters up to 4` to pool `{word.text}`"
            subject.problems.add("S322", word.span, message, "an adapter of it", help_)


def _sessions(subject: Subject) -> None:
    """Warn of a class that says a session where no rule goes by one."""
    read = frozenset[str]().union(*(rule.reads for rule in subject.program.rules))
    if subject.names.broken or read & _OF_SESSIONS:
        return
    for block in subject.of(said.ClassBlock):
        if block.session is not None:
            message = f"class `{block.name.text}` says a session, and no rule goes by one"
            help_ = "score by `session_affinity_scorer`, or prefer `session_affinity_filter`"
            subject.problems.add("S307", block.session.span, message, "no effect", help_)


def _unserved(subject: Subject) -> None:
    """Warn of a route to a pool whose endpoints the profile for it can never choose."""
    for block in subject.of(said.ModelBlock):
        for target in block.route:
            if target.share is not None and target.share.value == 0:
                continue
            for name in _profiles(block, target.pool.text, subject):
                excluded = _excluded(name, target.pool.text, target.pool.span, subject)
                if excluded is None:
                    continue
                filter_, span = excluded
                related = (Related(span, f"filter `{filter_}` never holds there"),)
                message = f"profile `{name}` can never choose an endpoint of `{target.pool.text}`"
                help_ = f"take `{filter_}` out of the profile, or name another profile"
                label = "nobody serves this"
                subject.problems.add("S322", target.pool.span, message, label, help_, related)


def _profiles(block: said.ModelBlock, pool: str, subject: Subject) -> Iterator[str]:
    """Yield the profile by which requests for *block* choose in *pool*, if no class says other."""
    found = subject.program.pools.get(pool)
    name = block.profile.text if block.profile else found.profile if found else None
    yield name or DEFAULT


def _excluded(name: str, pool: str, at: Span, subject: Subject) -> tuple[str, Span] | None:
    """Return a filter that excludes all of *pool*, and where it is; None if there is none."""
    profile = subject.program.profiles.get(name)
    if profile is None or profile.otherwise is not None:
        return None
    here = _is_pool(pool, at)
    for each in profile.require:
        typed = each.rule.typed
        if typed is None or not possible((typed, True)):
            continue  # it never holds anywhere, which is another finding
        if not possible((typed, True), (here, True)):
            return each.rule.name, each.rule.span
    return None


def _is_pool(name: str, span: Span) -> Typed:
    """Return the condition `pool.name == name`."""
    variable = variables()["pool.name"]
    reads = frozenset({variable.name})
    read = Typed(Op.READ, STRING, span, (), variable, reads=reads)
    constant = node(Op.CONST, STRING, span, value=name)
    return node(Op.COMPARE, BOOL, span, (read, constant), "==", ANY_BOOL)


def _without_stage(subject: Subject) -> None:
    """Report blocks that no chain has a stage for: they could never take effect."""
    chains = {DEFAULT_CHAIN.name: DEFAULT_CHAIN, **subject.program.chains}
    stages = {stage for chain in chains.values() for stage in chain.stages}
    for block in subject.blocks:
        match block:
            case said.GuardBlock():
                what, stage = f"guard `{block.name.text}`", "safety"
            case said.SafetyBlock():
                what, stage = "this `safety`", "safety"
            case said.OverloadBlock():
                what, stage = "this overload", "picker"
            case said.ModelBlock():
                what, stage = f"model `{block.names[0].text}`", "body_router"
            case _:
                continue
        if stage not in stages:
            message = f"{what} has no effect: no chain has the stage `{stage}`"
            help_ = f"add `{stage}` to a `chain`"
            subject.problems.add("S333", block.span, message, "no effect", help_)
