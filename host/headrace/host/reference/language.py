"""The language as this installation knows it: blocks, names, functions, stages, plugins."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

from headrace.dsl.cel.calls import FUNCTIONS, METHODS
from headrace.dsl.checks.settings import PLUGINS, STAGE_SETTINGS, Setting, Vocabulary
from headrace.dsl.syntax.blocks import BLOCKS
from headrace.dsl.syntax.forms import OPENING, USAGE, settings
from headrace.dsl.vocabulary import STAGES, VARIABLES
from headrace.extensions.packages import GROUP
from headrace.host.reference.page import Table

_SETTING = ("of", "setting", "type", "allowed", "default", "what")


def language() -> tuple[Table, ...]:
    """Return the reference of the language."""
    return (_blocks(), _statements(), _names(), _functions(), _stages(), _settings())


def _blocks() -> Table:
    rows = tuple(
        (name, ", ".join(settings(name).values()), OPENING.get(name, "")) for name in sorted(BLOCKS)
    )
    columns = ("block", "can say", "example")
    return Table("Blocks", "", columns, rows, frozenset({"block", "example"}))


def _statements() -> Table:
    rows = tuple((block, verb, example) for (block, verb), example in sorted(USAGE.items()))
    columns = ("block", "statement", "example")
    return Table("Statements", "", columns, rows, frozenset(columns))


def _names() -> Table:
    rows = tuple(
        (v.name, _type(str(v.type), v.optional), v.binding.value, v.doc) for v in VARIABLES
    )
    about = "What an expression may read. What may be missing is read under `has(...)` only."
    return Table("Names", about, ("name", "type", "changes", "what"), rows, frozenset({"name"}))


def _type(name: str, optional: bool) -> str:
    return f"{name}, may be missing" if optional else name


def _functions() -> Table:
    rows = [(name, "function") for name in FUNCTIONS] + [(name, "method") for name in METHODS]
    return Table("Functions", "", ("name", "kind"), tuple(rows), frozenset({"name"}))


def _stages() -> Table:
    found = {point.name: _owner(point) for point in entry_points(group=GROUP)}
    rows = [(n, found.get(n, "built in") if n not in STAGES else "built in") for n in sorted(found)]
    about = "What a chain may name. A policy can take others `from` a package and name them."
    return Table("Stages", about, ("stage", "from"), tuple(rows), frozenset({"stage"}))


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


def _settings() -> Table:
    rows = [_setting("any stage", setting) for setting in STAGE_SETTINGS]
    for name, vocabulary in PLUGINS.items():
        rows += [_setting(f"plugin {name}", setting) for setting in vocabulary.settings]
    for origin, vocabulary in _declared():
        rows += [_setting(origin, setting) for setting in vocabulary.settings]
    codes = frozenset({"of", "setting"})
    return Table("Settings", "What stages and plugins can be told.", _SETTING, tuple(rows), codes)


def _declared() -> Iterator[tuple[str, Vocabulary]]:
    """Yield what the stages of installed packages can be told, by ``PACKAGE:ATTRIBUTE``."""
    seen: set[str] = set()
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            point.load()
        except Exception:  # noqa: S112 - a broken package has no page, and its own error elsewhere
            continue
        for name, value in vars(sys.modules[point.module]).items():
            vocabulary: object = getattr(value, "vocabulary", None)
            origin = f"{_owner(point)}:{name}"
            if isinstance(vocabulary, Vocabulary) and origin not in seen:
                seen.add(origin)
                yield origin, vocabulary


def _setting(of: str, setting: Setting) -> tuple[str, ...]:
    default = "required" if setting.required else ""
    if setting.default is not None:
        default = str(setting.default)
    return (of, setting.name, setting.kind.value, _allowed(setting), default, setting.doc)


def _allowed(setting: Setting) -> str:
    if setting.words:
        return ", ".join(setting.words)
    match setting.low, setting.high:
        case None, None:
            return ""
        case None, high:
            return f"at most {high:g}"
        case low, None:
            return f"at least {low:g}"
        case low, high:
            return f"{low:g} to {high:g}"
