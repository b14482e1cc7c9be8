"""Guards: what is screened for, in what, and what follows from a finding or a failure."""

from collections.abc import Collection, Iterator, Sequence

from headrace.dsl.cel.patterns import compile_pattern
from headrace.dsl.checks import effects
from headrace.dsl.checks.asking import provision
from headrace.dsl.checks.limits import message, status, within
from headrace.dsl.checks.rules import REQUEST, Rules
from headrace.dsl.guarding import DEFAULT_WINDOW, Scope, Streamed, Window
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import Guard, OnMatch, OnTrouble
from headrace.dsl.providers import BOTH, DETECTORS
from headrace.dsl.syntax.declarations import Action, GuardBlock
from headrace.dsl.syntax.guard_said import WindowSaid
from headrace.dsl.syntax.tree import Number, Word

_PATTERNS_MAX = 100
_PHRASES_MAX = 10_000
_PHRASE_CHARS_MAX = 200
_TIMEOUT_MAX_S = 60.0
_UNITS = {"characters": (16, 100_000), "sentences": (1, 100)}  # unit -> sizes that are possible
_OVERLAP_MAX = 10_000
_AT_ONCE_MAX = 10_000
_ENTRIES_MAX = 1_000_000
_DAY_S = 86_400.0
_PROMPT = frozenset({"prompt"})


def guards(blocks: Sequence[GuardBlock], rules: Rules) -> tuple[Guard, ...]:
    """Return the guards in order."""
    return tuple(_guard(block, rules) for block in blocks)


def _guard(block: GuardBlock, rules: Rules) -> Guard:
    problems, name = rules.problems, block.name.text
    when = None
    if block.when:
        when = rules.condition(block.when, name, "the condition of a guard", REQUEST)
    _source(block, problems)
    action = block.on.get("match")
    cache, breaker = block.cache, block.breaker
    found = Guard(
        name,
        block.span,
        tuple(w.text for w in block.patterns),
        when,
        _on_match(action, problems),
        status(action.status if action else None, 400, problems),
        message(action.message if action else None, "blocked by safety policy", problems),
        inspect=frozenset(_among(block.inspect, BOTH, "can be inspected", problems)) or _PROMPT,
        timeout_s=within(block.timeout, 0.001, _TIMEOUT_MAX_S, "1ms to 1min", problems),
        on_error=_on_trouble(block.on.get("error"), problems),
        on_timeout=_on_trouble(block.on.get("timeout"), problems),
        on_partial=_on_trouble(block.on.get("partial"), problems),
        on_unreadable=_on_trouble(block.on.get("unreadable"), problems),
        detect=tuple(_among(block.detect, DETECTORS, "is detected", problems)),
        deny=tuple(w.text for w in block.deny),
        ask=provision(block, rules),
        scope=_scope(block.scope, problems),
        window=_window(block.window, problems),
        streamed=_streamed(block.stream, problems),
        at_once=int(_within(block.at_once, 1, _AT_ONCE_MAX, problems, 64)),
        cache_s=within(cache.keep if cache else None, 1, _DAY_S, "1s to 1d", problems),
        cache_entries=int(
            _within(cache.entries if cache else None, 1, _ENTRIES_MAX, problems, 10_000)
        ),
        breaker_failures=int(_within(breaker.failures if breaker else None, 1, 1000, problems, 5)),
        breaker_s=within(breaker.pause if breaker else None, 0.1, 3600, "100ms to 1h", problems)
        or 10.0,
    )
    effects.check(block, found, problems)
    return found


def _source(block: GuardBlock, problems: Problems) -> None:
    """Report a guard that looks for nothing, or for two kinds of things, or for nonsense."""
    local = [verb for verb in effects.LOCAL if verb in block.spans]
    remote = [verb for verb in effects.REMOTE if verb in block.spans]
    if not local and not remote:
        help_ = 'add `patterns "..."`, `detect card`, `deny "..."` or `template "..."`'
        text = f"guard `{block.name.text}` looks for nothing"
        problems.add("S216", block.span, text, "what is it looking for?", help_)
    both = (local[:1] and remote[:1]) or ("ask" in remote and len(remote) > 1 and remote[:1])
    if both:
        other = local[0] if local else "ask"
        related = (Related(block.spans[other], f"the `{other}`"),)
        verb = remote[0].replace("_", " ")
        text = f"a guard has `{other}` or `{verb}`, not both"
        help_ = "write two guards: they run in their order"
        if not local:
            help_ = "write the template inside of `ask`"
        problems.add("S217", block.spans[remote[0]], text, "not beside it", help_, related)
    _bounded(block.patterns, _PATTERNS_MAX, "patterns", problems)
    _bounded(block.deny, _PHRASES_MAX, "phrases", problems)
    for word in block.patterns[:_PATTERNS_MAX]:
        fault = compile_pattern(word.text) if word.text else "it is empty and matches everything"
        if isinstance(fault, str):
            help_ = "patterns are RE2: no look-around, no back-references"
            problems.add("S219", word.span, f"this pattern is not valid: {fault}", "", help_)
    for word in block.deny:
        sound = word.text.strip() and word.text.isprintable()
        if not sound or len(word.text) > _PHRASE_CHARS_MAX:
            help_ = f"1 to {_PHRASE_CHARS_MAX} printable characters"
            problems.add("S218", word.span, "this is no phrase", "", help_)


def _bounded(words: Sequence[Word], most: int, what: str, problems: Problems) -> None:
    if len(words) > most:
        text = f"a guard has at most {most} {what}"
        problems.add("S218", words[most].span, text, "one too many")


def _among(
    words: Sequence[Word], known: Collection[str], what: str, problems: Problems
) -> Iterator[str]:
    """Yield the words that are *known*, each once, after reporting the others."""
    seen: dict[str, Word] = {}
    for word in words:
        if word.text not in known:
            help_ = did_you_mean(word.text, known, "possible")
            text = f"`{word.text}` is nothing that {what}"
            problems.add("S214", word.span, text, "unknown", help_)
            continue
        first = seen.setdefault(word.text, word)
        if first is word:
            yield word.text
        else:
            related = (Related(first.span, "first time"),)
            text = f"`{word.text}` is given twice"
            problems.add("S208", word.span, text, "second time", "keep one of them", related)


def _word(word: Word, known: Sequence[str], what: str, problems: Problems) -> str:
    """Return *word* if it is *known*, else the first of these after reporting it."""
    if word.text in known:
        return word.text
    help_ = did_you_mean(word.text, known, "possible")
    problems.add("S214", word.span, f"`{word.text}` is no {what}", "unknown", help_)
    return known[0]


def _scope(word: Word | None, problems: Problems) -> Scope:
    known = tuple(scope.value for scope in Scope)
    return Scope(_word(word, known, "scope of a guard", problems)) if word else Scope.ALL


def _streamed(word: Word | None, problems: Problems) -> Streamed:
    known = tuple(mode.value for mode in Streamed)
    return Streamed(_word(word, known, "way with streams", problems)) if word else Streamed.HOLD


def _window(said: WindowSaid | None, problems: Problems) -> Window:
    """Return the window; its overlap is a quarter of its characters where it does not say."""
    if said is None:
        return DEFAULT_WINDOW
    unit = _word(said.unit, tuple(_UNITS), "unit of a window", problems)
    least, most = _UNITS[unit]
    size = int(_within(said.size, least, most, problems, least))
    if said.overlap is None:
        overlap = min(DEFAULT_WINDOW.overlap, size // 4)
        return Window(unit, size, overlap if unit == "characters" else DEFAULT_WINDOW.overlap)
    overlap = int(_within(said.overlap, 0, _OVERLAP_MAX, problems, 0))
    if unit == "characters" and overlap >= size:
        related = (Related(said.size.span, "the window"),)
        text = "the overlap is not shorter than the window"
        help_ = f"for example `window {size} characters, overlap {size // 4}`"
        problems.add("S218", said.overlap.span, text, "never an end", help_, related)
    return Window(unit, size, overlap)


def _within(
    number: Number | None, low: int, high: int, problems: Problems, otherwise: int
) -> float:
    value = within(number, low, high, f"{low} to {high}", problems)
    return otherwise if value is None else value


def _on_match(action: Action | None, problems: Problems) -> OnMatch:
    if action is None:
        return OnMatch.BLOCK
    if action.what == "allow":
        help_ = "`on match log` lets it pass and records the finding"
        problems.add("S214", action.span, "a match cannot be allowed", "no effect", help_)
        return OnMatch.LOG
    return OnMatch(action.what)


def _on_trouble(action: Action | None, problems: Problems) -> OnTrouble:
    if action is None:
        return OnTrouble.BLOCK
    if action.what in ("redact", "mask"):
        help_ = f"without a verdict there is nothing to {action.what}: `block`, `allow` or `log`"
        text = f"only a match can be {action.what.rstrip('e')}ed"
        problems.add("S214", action.span, text, "not possible", help_)
        return OnTrouble.BLOCK
    if action.status or action.message:
        help_ = "write `block`: the answer is that of the reason"
        problems.add("S217", action.span, "only a match has an answer of its own", "", help_)
    return OnTrouble(action.what)
