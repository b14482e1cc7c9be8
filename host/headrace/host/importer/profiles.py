"""Scheduling profiles: which plugins score, filter and pick, and which profile is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from headrace.dsl import library
from headrace.host.importer.config import Config, Plugin, ProfileSpec, Use
from headrace.host.importer.document import Mapping
from headrace.host.importer.draft import Choice, DraftProfile, Rule, Scored
from headrace.host.importer.filters import FILTERS
from headrace.host.importer.findings import Finding, Grade
from headrace.host.importer.others import HANDLERS, HEADER, OTHERS, PICKERS, RANDOM, SINGLE
from headrace.host.importer.part import Formula, Hosted, Known, Left, Named, Part, Picking
from headrace.host.importer.scorers import SCORERS
from headrace.host.importer.settings import Settings
from headrace.host.importer.words import comment, identifier

DEFAULT = "default"
STRIPPED = "epp-profile"  # a control header: the host takes it from every request
WEIGHT_MIN, WEIGHT_MAX = 1e-6, 1e6  # what the language can write, and does


@dataclass(slots=True)
class Profiles:
    """What the profiles of one configuration become. Written while it is imported."""

    config: Config
    known: Known
    findings: list[Finding]
    made: dict[tuple[str, str], Rule] = field(default_factory=dict[tuple[str, str], Rule])
    done: list[DraftProfile] = field(default_factory=list[DraftProfile])

    def read(self) -> tuple[str, tuple[Choice, ...]]:
        """Return the main profile's name and the classes that ask for others."""
        specs = self._specs()
        main, choices = self._handled(specs)
        asked = {main.name, *(c.profile for c in choices)}
        for spec in specs:
            if spec.name in asked:
                self.done.append(self._profile(spec))
        for spec in specs:
            if spec.name not in asked:
                self._leave(spec)
        return main.name, choices

    def _specs(self) -> Sequence[ProfileSpec]:
        if self.config.profiles:
            return self.config.profiles
        line = self.config.top.mapping.line
        uses = [Use(p.name, p.line) for p in self.config.plugins if chooses(p)]
        return [ProfileSpec(DEFAULT, line, tuple(uses))]

    def _handled(self, specs: Sequence[ProfileSpec]) -> tuple[ProfileSpec, tuple[Choice, ...]]:
        others = HANDLERS - {SINGLE}
        handler = next((p for p in self.config.plugins if p.type in others), None)
        by_name = {spec.name: spec for spec in specs}
        if handler is not None and handler.type == HEADER:
            return self._by_header(handler, by_name)
        wanted = _decode_profile(handler) if handler is not None else DEFAULT
        main = by_name.get(wanted) or by_name.get(DEFAULT) or specs[0]
        return main, ()

    def _by_header(
        self, handler: Plugin, by_name: dict[str, ProfileSpec]
    ) -> tuple[ProfileSpec, tuple[Choice, ...]]:
        settings = handler.settings
        header = settings.text("headerName").strip().lower() or STRIPPED
        wanted = settings.text("defaultProfile").strip() or "decode"
        main = by_name.get(wanted) or next(iter(by_name.values()))
        what, cure = "", ""
        if header == STRIPPED:
            header = "x-profile"
            what = f"`{STRIPPED}` is a header that the host takes from every request"
            cure = f"send `{header}` in its place, or write your own header"
        grade = Grade.NEAR if what else Grade.EXACT
        self.findings.append(Finding(grade, handler.where, handler.line, what, cure))
        taken: list[str] = []
        choices: list[Choice] = []
        for name in by_name:
            if name != main.name:
                taken.append(identifier(f"ask_{name}", taken))
                choices.append(Choice(taken[-1], header, name, name))
        return main, tuple(choices)

    def _leave(self, spec: ProfileSpec) -> None:
        what = "only one profile is asked for a request, and nothing asks for this one"
        cure = "to use it, write it and name it in a `class`"
        where = f"profile `{spec.name}`"
        self.findings.append(Finding(Grade.LEFT, where, spec.line, what, cure))
        for use in spec.uses:
            plugin = self.config.plugin(use.plugin)
            if plugin is not None:
                plugin.settings.ignore(*plugin.settings.mapping.entries)

    def _profile(self, spec: ProfileSpec) -> DraftProfile:
        filters: dict[str, bool] = {}
        weights: dict[str, float] = {}
        plugins = [(use, self._plugin(use, spec)) for use in spec.uses]
        chosen = self._chosen([plugin for _, plugin in plugins])
        for use, plugin in plugins:
            if chosen.text == RANDOM and plugin.type in SCORERS:
                self._leave_scorer(plugin)
                continue
            scored = self._rule("scorer", plugin)
            if scored is not None and self._weighs(plugin, use):
                weight = 1.0 if use.weight is None else use.weight
                weights[scored.name] = weights.get(scored.name, 0.0) + weight
            filtered = self._rule("filter", plugin)
            if filtered is not None:
                filters[filtered.name] = filtered.soft
            if use.weight is not None and plugin.type not in SCORERS:
                what = "only scorers have a weight, in the reference too"
                self.findings.append(Finding(Grade.HOST, plugin.where, use.line, what))
        return DraftProfile(
            spec.name,
            tuple(name for name, soft in filters.items() if not soft),
            tuple(name for name, soft in filters.items() if soft),
            tuple(Scored(min(weight, WEIGHT_MAX), name) for name, weight in weights.items()),
            chosen.text if weights else RANDOM,
            chosen.note if weights or chosen.text == RANDOM else "nothing is scored",
        )

    def _plugin(self, use: Use, spec: ProfileSpec) -> Plugin:
        """Return the plugin that *use* names; one with its defaults if there is none."""
        found = self.config.plugin(use.plugin)
        if found is not None:
            return found
        where = f"plugin `{use.plugin}`"
        if self.config.profiles:
            what = f"profile `{spec.name}` uses it and `plugins` does not have it"
            cure = "it is read as one with its defaults"
            self.findings.append(Finding(Grade.NEAR, where, use.line, what, cure))
        empty = Settings(where, Mapping({}, {}, use.line))
        if not any(use.plugin in table for table in (SCORERS, FILTERS, PICKERS, OTHERS)):
            what = f"`{use.plugin}` is no plugin of the reference"
            cure = "write what it computes as a `scorer` or `filter`"
            self.findings.append(Finding(Grade.LEFT, where, use.line, what, cure))
        return Plugin(use.plugin, use.plugin, use.line, empty, declared=False)

    def _rule(self, keyword: str, plugin: Plugin) -> Rule | None:
        """Return the rule that *plugin* becomes, if it is of that kind and there is a formula."""
        reading = (SCORERS if keyword == "scorer" else FILTERS).get(plugin.type)
        if reading is None:
            return None
        part = reading(plugin.settings, self.known)
        self._tell(plugin, part)
        if not isinstance(part, Formula | Named):
            return None
        key = (keyword, plugin.name)
        if key not in self.made:
            self.made[key] = self._make(keyword, plugin, part)
        return self.made[key]

    def _make(self, keyword: str, plugin: Plugin, part: Formula | Named) -> Rule:
        if isinstance(part, Named):
            return self._of_library(keyword, plugin, part)
        wanted = part.name if plugin.name == plugin.type else plugin.name
        taken = {rule.name for rule in self.made.values()} | set(library.names())
        name = identifier(wanted, taken)
        said = [f"{plugin.where}{', nearly' if part.differs else ''}", part.differs, part.note]
        comments = tuple(comment(line) for line in said if line)
        return Rule(keyword, name, part.text, comments, part.soft)

    def _of_library(self, keyword: str, plugin: Plugin, part: Named) -> Rule:
        """Return the library's rule; it goes by the values that were asked for first."""
        first = next((r for r in self.made.values() if r.name == part.name), None)
        if first is not None:
            if first.lets != part.lets:
                what = f"`{part.name}` goes by the same values wherever it stands"
                cure = "write the formula of the library a second time, with the other values"
                near = Finding(Grade.NEAR, plugin.where, plugin.line, what, cure)
                self.findings[-1:] = [near]  # it was told to be exact, as a formula of its own
            return first
        said = [f"{plugin.where}{', nearly' if part.differs else ''}", part.differs, part.note]
        said.append(f"the library's `{part.name}`")
        comments = tuple(comment(line) for line in said if line)
        return Rule(keyword, part.name, "", comments, part.soft, part.lets)

    def _weighs(self, plugin: Plugin, use: Use) -> bool:
        if use.weight is None or WEIGHT_MIN <= use.weight <= WEIGHT_MAX:
            return True
        if abs(use.weight) < WEIGHT_MIN:
            what, grade = "a weight of 0 adds nothing, so it is not written", Grade.HOST
        else:
            what, grade = (
                f"a weight of {use.weight:g} is not from 0 to {WEIGHT_MAX:.0f}",
                Grade.LEFT,
            )
        self.findings.append(Finding(grade, plugin.where, use.line, what))
        return False

    def _picker(self, plugin: Plugin) -> Picking | None:
        reading = PICKERS.get(plugin.type)
        if reading is None:
            return None
        part = reading(plugin.settings, self.known)
        self._tell(plugin, part)
        return part if isinstance(part, Picking) else None

    def _leave_scorer(self, plugin: Plugin) -> None:
        plugin.settings.ignore(*plugin.settings.mapping.entries)
        what = "the profile picks at random, whatever it says"
        self.findings.append(Finding(Grade.HOST, plugin.where, plugin.line, what))

    def _chosen(self, plugins: Sequence[Plugin]) -> Picking:
        """Return the last picker of *plugins*, else one that is declared, else the default."""
        named = [found for p in plugins if (found := self._picker(p)) is not None]
        if named:
            return named[-1]
        for plugin in self.config.plugins:
            declared = self._picker(plugin)
            if declared is not None:
                return declared
        default = PICKERS["max-score-picker"](Settings("picker"), self.known)
        assert isinstance(default, Picking)
        return default

    def _tell(self, plugin: Plugin, part: Part) -> None:
        match part:
            case Formula(differs=differs, cure=cure) | Named(differs=differs, cure=cure):
                grade = Grade.NEAR if differs else Grade.EXACT
                finding = Finding(grade, plugin.where, plugin.line, differs, cure)
            case Picking(differs=differs):
                grade = Grade.NEAR if differs else Grade.EXACT
                finding = Finding(grade, plugin.where, plugin.line, differs)
            case Hosted(what):
                finding = Finding(Grade.HOST, plugin.where, plugin.line, what)
            case Left(what=what, cure=cure):
                finding = Finding(Grade.LEFT, plugin.where, plugin.line, what, cure)
            case _:
                assert_never(part)
        if finding not in self.findings:
            self.findings.append(finding)


def chooses(plugin: Plugin) -> bool:
    """Return whether *plugin* does something in a profile."""
    return any(plugin.type in table for table in (SCORERS, FILTERS, PICKERS))


def _decode_profile(handler: Plugin) -> str:
    """Return which profile of a split of prefill and decode chooses who answers."""
    given = handler.settings.section("profiles")
    name = given.text("decode") or handler.settings.text("decodeProfile")
    handler.settings.ignore(*handler.settings.mapping.entries)
    given.ignore(*given.mapping.entries)
    return name or "decode"
