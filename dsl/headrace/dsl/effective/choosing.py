"""Named expressions and profiles, flattened; the built-in profile as if it were written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from headrace.dsl.program import Combine, CostTerm, Pick, Profile, Program, Rule, Scorer, Term
from headrace.dsl.syntax.declarations import ProfileBlock, RuleBlock, Said, TypeName


def rule(block: RuleBlock, program: Program) -> Section:
    """Return a filter, a scorer, a cost or a let."""
    type_ = f": {_type(block.type)}" if block.type else ""
    text = f"{block.kind} {block.name.span.text}{type_} = {expr(block.value)}"
    # The value may be that of an `override`, which is elsewhere.
    stands = block.name if block.name.span.source is block.value.span.source else block.value
    head = Line(text, origin(stands.span), expressed("expression", block.value))
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
            *self._terms(profile if weighs else replace(profile, terms=()), name),
            *self._sum("minimize", profile.costs if weighs else (), name),
            self._pick(profile),
        ]
        if profile.otherwise:
            other = self._said(name, "otherwise")
            shown = other.otherwise.span.text if other and other.otherwise else profile.otherwise
            facts = said("else", profile.otherwise, f"`{profile.otherwise}`")
            lines.append(Line(f"else profile {shown}", self._at(name, "otherwise"), facts))
        lines += [*self._beside(profile, name), *self._refusals(profile, name)]
        return Section("profile", (name,), Line(f"profile {word}", at), tuple(lines))

    def _filters(self, verb: str, rules: Sequence[Rule], name: str) -> list[Line]:
        if not rules:
            return []
        names = [self._name(rule) for rule in rules]
        facts = [Fact(f"{verb} `{n}`", "yes", "yes") for n in names]
        if verb == "prefer" and len(names) > 1:  # they are dropped in their order
            facts.append(Fact("order of prefer", repr(names), ", ".join(f"`{n}`" for n in names)))
        return [Line(f"{verb} {', '.join(names)}", self._at(name, verb), tuple(facts))]

    def _terms(self, profile: Profile, name: str) -> list[Line]:
        """Return the line of `score`, `multiply` or `rank by`."""
        if profile.combine is Combine.SUM:
            return self._sum("score", profile.terms, name)
        named = [(self._name(t.scorer.rule), t.weight) for t in profile.terms]
        if not named:
            return []
        if profile.combine is Combine.PRODUCT:
            texts = [n if p == 1.0 else f"{n} ^ {_number(p)}" for n, p in named]
            facts = [Fact(f"power of `{n}`", repr(p), _number(p)) for n, p in named]
            text = f"multiply {' * '.join(texts)}"
            return [Line(text, self._at(name, "multiply"), tuple(facts))]
        texts = [n if not w else f"{n} within {_share(w)}" for n, w in named]
        facts = [
            Fact("rank by", repr([n for n, _ in named]), ", ".join(f"`{n}`" for n, _ in named))
        ]
        facts += [Fact(f"tolerance of `{n}`", repr(w), _share(w)) for n, w in named]
        return [Line(f"rank by {', '.join(texts)}", self._at(name, "tiers"), tuple(facts))]

    def _beside(self, profile: Profile, name: str) -> list[Line]:
        block = self._said(name, "beside")
        found: list[Line] = []
        for one, said_ in zip(profile.beside, block.beside if block else (), strict=False):
            when = f" when {expr(said_.when)}" if said_.when else ""
            text = f"also pick {one.role} by profile {said_.profile.span.text}{when}"
            facts = [Fact(f"also pick {one.role} by", repr(one.profile), f"`{one.profile}`")]
            if said_.when:
                facts += expressed(f"condition of {one.role}", said_.when)
            found.append(Line(text, origin(said_.span), tuple(facts)))
        return found

    def _refusals(self, profile: Profile, name: str) -> list[Line]:
        block = self._said(name, "refuse")
        found: list[Line] = []
        refusals = zip(profile.refusals, block.refusals if block else (), strict=False)
        for number, (one, said_) in enumerate(refusals, 1):
            message = said_.message.span.text if said_.message else f'"{one.message}"'
            answer = f"with {one.status} {message}"
            facts = (
                *expressed(f"condition of refusal {number}", said_.when),
                Fact(f"answer of refusal {number}", repr((one.status, one.message)), answer),
            )
            text = f"refuse when {expr(said_.when)} {answer}"
            found.append(Line(text, origin(said_.span), facts))
        return found

    def _sum(self, verb: str, terms: Sequence[Term | CostTerm], name: str) -> list[Line]:
        if not terms:
            return []
        texts: list[str] = []
        facts: list[Fact] = []
        for term in terms:
            rule = term.scorer.rule if isinstance(term, Term) else term.cost.rule
            known, weight = self._name(rule), _number(term.weight)
            texts.append(f"{weight} * {known}")
            facts.append(Fact(f"weight of `{known}`", repr(term.weight), weight))
        return [Line(f"{verb} {' + '.join(texts)}", self._at(name, verb), tuple(facts))]

    def _pick(self, profile: Profile) -> Line:
        how = profile.how
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


def _number(value: float) -> str:
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _share(value: float) -> str:
    text = f"{Decimal(repr(value)) * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


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
