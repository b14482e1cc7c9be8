"""Whom a guard asks: the provider, where it is, and what it is told."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headrace.dsl.checks import secrets
from headrace.dsl.checks.answers import answer_rule
from headrace.dsl.checks.bodies import body_template
from headrace.dsl.checks.rules import Rules
from headrace.dsl.checks.sending import IN_HEADER, Sent, check_url, headers
from headrace.dsl.checks.settings import SettingCheck
from headrace.dsl.guarding import AnswerRule, Provision
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.providers import SCHEMAS, Option, Schema
from headrace.dsl.source import Span
from headrace.dsl.syntax.declarations import GuardBlock, Said
from headrace.dsl.syntax.guard_said import AskSaid, HeaderSaid, ProviderSaid, TemplateSaid
from headrace.dsl.syntax.tree import Word, Written

MODEL_ARMOR = "model_armor"
_TEMPLATE = re.compile(r"projects/[^/\s]+/locations/[a-z0-9-]+/templates/[^/\s]+")
_TEMPLATE_LIKE = '"projects/acme/locations/europe-west4/templates/chat"'
_TEXT_CHARS_MAX = 500
_VALUES_MAX = 100  # of one setting
Value = tuple[str | float, str]  # what is said, and what it is for
_Key = tuple[str, str]  # a setting, and what it is for


def provision(block: GuardBlock, rules: Rules) -> Provision | None:
    """Return whom *block* asks and for what; None if nobody, or after reporting why not."""
    if not block.asks:
        return None
    said = block.ask
    schema = SCHEMAS.get(said.provider.text if said else MODEL_ARMOR)
    if schema is None:
        assert said is not None, "the short form is Model Armor's"
        help_ = did_you_mean(said.provider.text, SCHEMAS, "providers")
        message = f"`{said.provider.text}` is no provider that can be asked"
        rules.problems.add("S214", said.provider.span, message, "unknown", help_)
        return None
    asking = _Asking(schema, said.span if said else block.span, rules)
    settings = asking.settings(said.settings if said else (), _templates(block, said))
    url = asking.url(said.url if said else None)
    sent = asking.headers(said.headers if said else ())
    readings = asking.readings(said.readings if said else ())
    return Provision(
        schema.name, url, settings, sent.headers, sent.secrets, sent.prefixes, readings
    )


def _templates(block: GuardBlock, said: AskSaid | None) -> Mapping[str, tuple[TemplateSaid, ...]]:
    """Return the templates, those of the short form and those of `ask`, by their setting."""
    inner = (said.templates, said.response_templates) if said else ((), ())
    return {
        "template": (*block.templates, *inner[0]),
        "response_template": (*block.response_templates, *inner[1]),
    }


@dataclass(frozen=True, slots=True)
class _Asking:
    """Checks what one provider is told. *head* is where it is named. Used for one guard only."""

    schema: Schema
    head: Span
    rules: Rules
    values: dict[str, list[Value]] = field(default_factory=dict[str, list[Value]])
    firsts: dict[_Key, Span] = field(default_factory=dict[_Key, Span])

    @property
    def problems(self) -> Problems:
        """Where findings go."""
        return self.rules.problems

    @property
    def what(self) -> str:
        """How messages call it."""
        return f"provider `{self.schema.name}`"

    def settings(
        self, said: Sequence[ProviderSaid], templates: Mapping[str, Sequence[TemplateSaid]]
    ) -> Mapping[str, tuple[Value, ...]]:
        """Return the settings with their defaults, after reporting what does not fit."""
        declared = self.schema.by_name
        check = SettingCheck(self.what, self.head, self.problems, declared)
        for one in said:
            option = declared.get(one.name.text)
            if option is not None and option.name in templates:
                help_ = f"write `{option.name.replace('_', ' ')} {_TEMPLATE_LIKE}`"
                message = f"`{option.name}` is not written like this"
                self.problems.add("S214", one.name.span, message, "two words", help_)
            elif option is None:
                check.value(one.values[0])
            else:
                self._option(one, option, check)
        for verb, of_verb in templates.items():
            for template in of_verb:
                self._template(verb, template)
        self._complete(check, said)
        return {name: tuple(rows) for name, rows in self.values.items()}

    def _complete(self, check: SettingCheck, said: Sequence[ProviderSaid]) -> None:
        """Report what is missing, and put in the defaults."""
        check.complete({one.name.text for one in said})
        if self.schema.name == MODEL_ARMOR and not self.values:
            help_ = f"add `template {_TEMPLATE_LIKE}`"
            message = f"{self.what} needs a template"
            self.problems.add("S216", self.head, message, "no `template`", help_)
        for option in self.schema.options:
            if option.default is not None:
                self.values.setdefault(option.name, [(_plain(option.default), "")])

    def _option(self, one: ProviderSaid, option: Option, check: SettingCheck) -> None:
        values = [check.value(value) for value in one.values[:_VALUES_MAX]]
        sound = [_plain(value) for value in values if value is not None]
        most = _VALUES_MAX if option.many else 1
        if len(one.values) > most:
            message = f"`{option.name}` takes {'at most ' * option.many}{most} value"
            message += "s" * (most > 1)
            self.problems.add("S218", one.values[most].span, message, "one too many")
        for value in one.values:
            self._text(value, option)
        of = [word.text for word in one.of]
        if of and not option.of:
            message = f"`{option.name}` is not said for anything"
            self.problems.add("S217", one.of[0].span, message, "no effect", "remove the `for`")
        elif option.of == "model":
            self._models(one.of)
        for each in of or [""]:
            self._once(option.name, each, one.span)
            self.values.setdefault(option.name, []).extend((value, each) for value in sound)

    def _text(self, said: Said, option: Option) -> None:
        """Report a text that is a secret, or that no provider could mean."""
        if not isinstance(said.value, str) or said.kind != "string":
            return
        word = Word(said.value, said.span)
        if option.name == "body":
            body_template(word, self.problems)
        elif not said.value.isprintable() or not 1 <= len(said.value.strip()) <= _TEXT_CHARS_MAX:
            help_ = f"1 to {_TEXT_CHARS_MAX} printable characters"
            self.problems.add("S218", said.span, f"this is no {option.name}", "", help_)
        if option.name == "anonymizer":
            check_url(word, self.problems)
        else:
            secrets.no_secret(word, "this text", IN_HEADER, self.problems)

    def _once(self, name: str, of: str, span: Span) -> None:
        """Report what is said a second time for the same."""
        first = self.firsts.setdefault((name, of), span)
        if first is not span:
            message = f"`{name.replace('_', ' ')}` is given twice"
            message += f" for `{of}`" if of else ""
            related = (Related(first, "first time"),)
            self.problems.add("S208", span, message, "second time", "keep one of them", related)

    def _template(self, verb: str, said: TemplateSaid) -> None:
        """Note a template of Model Armor with the models that it is for."""
        if verb not in self.schema.by_name:
            message = f"{self.what} has no templates"
            help_ = f"it has: {', '.join(sorted(self.schema.by_name))}"
            self.problems.add("S214", said.span, message, "unknown", help_)
            return
        name = said.name.text
        if not _TEMPLATE.fullmatch(name) or len(name) > _TEXT_CHARS_MAX:
            help_ = f"for example `{_TEMPLATE_LIKE}`"
            message = "this is not the name of a template"
            self.problems.add("S218", said.name.span, message, "", help_)
        self._models(said.models)
        for of in [word.text for word in said.models] or [""]:
            self._once(verb, of, said.span)
            self.values.setdefault(verb, []).append((name, of))

    def _models(self, words: Sequence[Word]) -> None:
        """Report models that no request can ask for."""
        names = self.rules.names
        known = names.of("model")
        if not known or names.incomplete:
            return
        for word in words:
            if word.text not in known and not any(_covers(name, word.text) for name in known):
                help_ = did_you_mean(word.text, known, "the models are")
                message = f"unknown model `{word.text}`"
                self.problems.add("S227", word.span, message, "no such model", help_)

    def url(self, word: Word | None) -> str:
        """Return where the provider is; empty if that is by the location of each template."""
        if word is not None:
            check_url(word, self.problems)
            return word.text.rstrip("/")
        if not self.schema.url:
            help_ = f'write `ask {self.schema.name} "http://{self.schema.name}:8000" {{ ... }}`'
            message = f"{self.what} needs its URL"
            self.problems.add("S216", self.head, message, "where is it?", help_)
        return "" if "LOCATION" in self.schema.url else self.schema.url

    def headers(self, said: Sequence[HeaderSaid]) -> Sent:
        """Return what is sent beside the text."""
        for one in said:
            self._once("header", one.name.text.lower(), one.span)
        return headers(said, self.problems)

    def readings(self, said: Sequence[tuple[str, Written]]) -> Mapping[str, AnswerRule]:
        """Return what is computed from the answer."""
        found: dict[str, AnswerRule] = {}
        for verb, written in said:
            if verb not in self.schema.readings:
                message = f"`{verb}` has no effect: the answer of {self.what} is known"
                help_ = f"remove it, or ask `http` instead of `{self.schema.name}`"
                self.problems.add("S217", written.span, message, "no effect", help_)
                continue
            rule = answer_rule(written, verb, self.problems)
            if rule is not None:
                found[verb] = rule
        if self.schema.readings and "match" not in dict(said):
            message = f"{self.what} needs a `match when`"
            help_ = "say what a finding is: `match when answer.flagged`"
            self.problems.add("S216", self.head, message, "when is it a finding?", help_)
        return found


def _covers(pattern: str, name: str) -> bool:
    """Return whether the model *pattern* takes requests for *name*."""
    words = map(re.escape, pattern.split("*"))
    return "*" in pattern and re.fullmatch(".*".join(words), name, re.DOTALL) is not None


def _plain(value: object) -> str | float:
    if isinstance(value, bool):
        return "true" if value else "false"
    assert isinstance(value, str | int | float), value
    return value
