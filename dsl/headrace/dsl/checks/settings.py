"""What a stage or plugin declares that it can be told, and the check of what it is told."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.source import Span
from headrace.dsl.syntax.declarations import Said
from headrace.dsl.values import Scalar


class SettingKind(Enum):
    """What a setting's value is; in base units it is a str, int, float or bool."""

    STRING = "string"
    WORD = "word"
    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    TOKENS = "tokens"
    BYTES = "bytes"
    RATIO = "ratio"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, for the checker, completion and the reference page.

    low, high  of numbers, in base units (seconds, bytes, a ratio); both are allowed
    words      of a WORD: those that are possible
    required   whether it must be said; else it is *default*
    """

    name: str
    kind: SettingKind
    doc: str
    default: Scalar | None = None
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a stage or plugin can be told."""

    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a stage of a package cannot be used, for the policy's author, and the cure."""

    why: str
    cure: str = ""


STAGE_SETTINGS = (
    Setting("timeout", SettingKind.DURATION, "how long one hook may take", low=0.001, high=60.0),
    Setting(
        "on_failure",
        SettingKind.WORD,
        "what happens to the request if the stage fails",
        words=("closed", "open", "fallback"),
    ),
)
PLUGINS: Mapping[str, Vocabulary] = {
    "prefix-cache-scorer": Vocabulary(
        (
            Setting(
                "block",
                SettingKind.TOKENS,
                "tokens in one block of the prefix index",
                default=64,
                low=1,
                high=4096,
            ),
        )
    ),
}
_FITS = {
    SettingKind.STRING: {"string"},
    SettingKind.WORD: {"word", "string"},
    SettingKind.BOOL: {"word"},
    SettingKind.INT: {"int"},
    SettingKind.DOUBLE: {"int", "double"},
    SettingKind.TOKENS: {"tokens"},
    SettingKind.BYTES: {"bytes"},
    SettingKind.RATIO: {"ratio"},
    SettingKind.DURATION: {"duration"},
}
_WRITTEN = {
    SettingKind.STRING: 'a string: `"text"`',
    SettingKind.WORD: "a word",
    SettingKind.BOOL: "`true` or `false`",
    SettingKind.INT: "a whole number: `8`",
    SettingKind.DOUBLE: "a number: `0.5`",
    SettingKind.TOKENS: "a number of tokens: `64 tokens`",
    SettingKind.BYTES: "a size: `4MB` or `512KiB`",
    SettingKind.RATIO: "a share: `80%`",
    SettingKind.DURATION: "a duration: `200ms`",
}


@dataclass(frozen=True, slots=True)
class SettingCheck:
    """Checks the settings of one block against what is declared. *what* is for messages."""

    what: str
    head: Span
    problems: Problems
    declared: Mapping[str, Setting] = field(default_factory=dict[str, Setting])

    def values(self, said: Sequence[Said]) -> dict[str, Scalar]:
        """Return the values by name, defaults included; report what does not fit."""
        found: dict[str, Scalar] = {
            s.name: s.default for s in self.declared.values() if s.default is not None
        }
        for one in said:
            value = self.value(one)
            if value is not None:
                found[one.name.text] = value
        self.complete({one.name.text for one in said})
        return found

    def value(self, one: Said) -> Scalar | None:
        """Return what *one* says; None after reporting that it does not fit."""
        setting = self.declared.get(one.name.text)
        if setting is None:
            self._unknown(one)
            return None
        if one.kind not in _FITS[setting.kind]:
            self._wrong_kind(one, setting)
            return None
        return self._value(one, setting)

    def complete(self, given: Set[str]) -> None:
        """Report the settings that are required and not among *given*."""
        for setting in self.declared.values():
            if setting.required and setting.name not in given:
                message = f"{self.what} needs the setting `{setting.name}`"
                help_ = f"{setting.doc}: {_WRITTEN[setting.kind]}"
                self.problems.add("S216", self.head, message, f"`{setting.name}` is missing", help_)

    def _unknown(self, one: Said) -> None:
        message = f"{self.what} has no setting `{one.name.text}`"
        help_ = did_you_mean(one.name.text, self.declared, "it has")
        self.problems.add("S214", one.name.span, message, "unknown", help_ or "it has none")

    def _wrong_kind(self, one: Said, setting: Setting) -> None:
        message = f"`{setting.name}` is not written like this"
        label = f"this is a {one.kind}" if one.kind != "int" else "this is a bare number"
        self.problems.add("S203", one.span, message, label, f"write {_WRITTEN[setting.kind]}")

    def _value(self, one: Said, setting: Setting) -> Scalar:
        match setting.kind:
            case SettingKind.BOOL:
                self._among(one, ("false", "true"))
                return one.value == "true"
            case SettingKind.WORD if setting.words:
                self._among(one, setting.words)
            case SettingKind.DOUBLE:
                self._within(one, setting)
                return float(one.value)
            case _:
                self._within(one, setting)
        return one.value

    def _among(self, one: Said, words: Sequence[str]) -> None:
        if one.value not in words:
            message = f"`{one.value}` is not possible for `{one.name.text}`"
            help_ = did_you_mean(str(one.value), words, "possible")
            self.problems.add("S214", one.span, message, "not one of them", help_)

    def _within(self, one: Said, setting: Setting) -> None:
        if isinstance(one.value, str):
            return
        low = setting.low if setting.low is not None else float("-inf")
        high = setting.high if setting.high is not None else float("inf")
        if not low <= one.value <= high:
            message = f"`{one.span.text}` is outside what is allowed"
            shown = _shown(setting)
            self.problems.add("S218", one.span, message, "out of range", f"allowed: {shown}")


def _shown(setting: Setting) -> str:
    if setting.low is None:
        return f"at most {_quantity(setting.high or 0, setting.kind)}"
    low = _quantity(setting.low, setting.kind)
    if setting.high is None:
        return f"at least {low}"
    return f"{low} to {_quantity(setting.high, setting.kind)}"


def _quantity(value: float, kind: SettingKind) -> str:
    match kind:
        case SettingKind.DURATION:
            return f"{value:g}s" if value >= 1 else f"{value * 1000:g}ms"
        case SettingKind.RATIO:
            return f"{value * 100:g}%"
        case SettingKind.BYTES:
            return f"{value:g}B"
        case _:
            return f"{value:.15g}"
