"""Named expressions and profiles, flattened; the built-in profile as if it were written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from headrace.dsl.checks.profiles import BUILT_IN
from headrace.dsl.effective.form import (
    DEFAULT,
    Fact,
    Line,
    Section,
    expr,
    expressed,
    origin,
    said,
)
from headrace.dsl.format.words import flat, read
from headrace.dsl.program import CostTerm, Pick, Profile, Program, Rule, Scorer, Term
from headrace.dsl.syntax.declarations import ProfileBlock, RuleBlock, Said, TypeName


def rule(block: RuleBlock, program: Program) -> Section:
    """Return a filter, a scorer, a cost or a let."""
    type_ = f": {_type(block.type)}" if block.type else ""
    text = f"{block.kind} {block.name.span.text}{type_} = {expr(block.value)}"
    head = Line(text, origin(block.name.span), expressed("expression", block.value))
    return Section(block.kind, (block.name.text,), head)


def _type(type_: TypeName) -> str:
    items = ", ".join(_type(item) for item in type_.items)
    return type_.word.text + (f"<{items}>" if items else "")


@dataclass(frozen=True, slots=True)
class Profiles:
    """Writes the profiles of one program.

    blocks   those that are written, by name
    rules    the built-in rules, by name
    renamed  name of a built-in rule -> the name it is written by, where its own is taken
    """

    program: Program
    blocks: Mapping[str, ProfileBlock]
    rules: Mapping[str, RuleBlock]
    renamed: Mapping[str, str]

    def built_in(self) -> list[Section]:
        """Return the built-in rules that a profile uses, and the built-in profile if it stands."""
        rules: dict[str, tuple[str, Rule]] = {}
        for profile in self.program.profiles.values():
            for kind, rule in _rules(profile):
                if rule.span.source is BUILT_IN:
                    rules.setdefault(rule.name, (kind, rule))
        found = [self._built_in_rule(kind, rule) for kind, rule in rules.values()]
        default = self.program.profiles.get("default")
        if default is not None and default.span.source is BUILT_IN:
            found.append(self._section(default, DEFAULT))
        return found

    def section(self, block: ProfileBlock) -> Section:
        """Return the profile that *block* defines, with all that it inherits."""
        return self._section(self.program.profiles[block.name.text], origin(block.name.span))

    def _built_in_rule(self, kind: str, rule: Rule) -> Section:
        name, value = self._name(rule), self.rules[rule.name].value
        head = Line(f"{kind} {name} = {expr(value)}", DEFAULT, expressed("expression", value))
        return Section(kind, (name,), head)

    def _name(self, rule: Rule) -> str:
        return self.renamed.get(rule.name, rule.name) if rule.span.source is BUILT_IN else rule.name

    def _section(self, profile: Profile, at: str) -> Section:
        name = profile.name
        word = self.blocks[name].name.span.text if name in self.blocks else name
        weighs = profile.pick is not Pick.RANDOM  # which does not look at what is inherited
        lines = [
            *self._filters("require", [f.rule for f in profile.require], name),
            *self._filters("prefer", [f.rule for f in profile.prefer], name),
            *self._plugins(name),
            *self._sum("score", profile.terms if weighs else (), name),
            *self._sum("minimize", profile.costs if weighs else (), name),
            self._pick(profile),
        ]
        if profile.otherwise:
            other = self._said(name, "otherwise")
            shown = other.otherwise.span.text if other and other.otherwise else profile.otherwise
            facts = said("else", profile.otherwise, f"`{profile.otherwise}`")
            lines.append(Line(f"else profile {shown}", self._at(name, "otherwise"), facts))
        return Section("profile", (name,), Line(f"profile {word}", at), tuple(lines))

    def _filters(self, verb: str, rules: Sequence[Rule], name: str) -> list[Line]:
        if not rules:
            return []
        names = [self._name(rule) for rule in rules]
        facts = [Fact(f"{verb} `{n}`", "yes", "yes") for n in names]
        if verb == "prefer" and len(names) > 1:  # they are dropped in their order
            facts.append(Fact("order of prefer", repr(names), ", ".join(f"`{n}`" for n in names)))
        return [Line(f"{verb} {', '.join(names)}", self._at(name, verb), tuple(facts))]

    def _sum(self, verb: str, terms: Sequence[Term | CostTerm], name: str) -> list[Line]:
        if not terms:
            return []
        texts: list[str] = []
        facts: list[Fact] = []
        for term in terms:
            rule = term.scorer.rule if isinstance(term, Term) else term.cost.rule
            known, weight = self._name(rule), f"{Decimal(repr(term.weight)):f}"
            weight = weight.removesuffix(".0")
            texts.append(f"{weight} * {known}")
            facts.append(Fact(f"weight of `{known}`", repr(term.weight), weight))
        return [Line(f"{verb} {' + '.join(texts)}", self._at(name, verb), tuple(facts))]

    def _pick(self, profile: Profile) -> Line:
        how = profile.pick.value
        if profile.pick is Pick.WEIGHTED:
            how = f"weighted of top {profile.pick_top}"
        facts = said("pick", how, how)
        text = f"pick {how}"
        if profile.ties is not None:
            ties = _one_line(profile.ties)
            text += f" ties by {ties}"
            facts += said("ties", ties, ties)
        return Line(text, self._at(profile.name, "pick"), facts)

    def _plugins(self, name: str) -> list[Line]:
        block = self._said(name, "plugin")
        if block is None:
            return []
        return [_plugin(p.name.span.text, p.settings, origin(p.span)) for p in block.plugins]

    def _at(self, name: str, verb: str) -> str:
        """Return where the statement *verb* of a profile stands, its own or an ancestor's."""
        block = self._said(name, verb)
        return origin(block.spans[verb]) if block else DEFAULT

    def _said(self, name: str, verb: str) -> ProfileBlock | None:
        block = self.blocks.get(name)
        while block is not None:
            if verb in block.spans:
                return block
            block = self.blocks.get(block.parent.text) if block.parent else None
        return None


def value(setting: Said) -> str:
    """Return the value of a setting as it is written."""
    return setting.span.text.removeprefix(setting.name.text).strip()


def _plugin(name: str, settings: Sequence[Said], at: str) -> Line:
    texts = [f"{s.name.text} {value(s)}" for s in settings]
    facts = tuple(Fact(f"{s.name.text} of `{name}`", repr(s.value), value(s)) for s in settings)
    use = (Fact(f"plugin `{name}`", "used", "used"), *facts)
    return Line(f"use plugin {name} {{ {'  '.join(texts)} }}", at, use)


def _one_line(scorer: Scorer) -> str:
    return flat(read(scorer.rule.text, "expr")[0])


def _rules(profile: Profile) -> list[tuple[str, Rule]]:
    found = [("filter", f.rule) for f in (*profile.require, *profile.prefer)]
    found += [("scorer", t.scorer.rule) for t in profile.terms]
    return found + [("cost", t.cost.rule) for t in profile.costs]
