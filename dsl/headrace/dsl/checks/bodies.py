"""The body that a generic provider is sent: JSON with values in braces."""

import json
import re

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.providers import BODY_VALUES
from headrace.dsl.syntax.tree import Word

_CHARS_MAX = 10_000
# A JSON object never has a bare word right behind its brace.
BODY_VALUE = re.compile(r"\{([A-Za-z_]\w*)\}")


def body_template(said: Word, problems: Problems) -> None:
    """Report a template that is no JSON when its values are put in, or that sends no text."""
    template = said.text
    names = BODY_VALUE.findall(template)
    for name in dict.fromkeys(names):
        if name not in BODY_VALUES:
            help_ = did_you_mean(name, BODY_VALUES, "values")
            message = f"`{{{name}}}` is no value that a body can have"
            problems.add("S214", said.span, message, "unknown", help_)
    if {"text", "texts"} <= set(names):
        help_ = "`{texts}` asks once about all, `{text}` once about each: put one of them into it"
        message = "this body has `{text}` and `{texts}`"
        problems.add("S217", said.span, message, "one of them", help_)
    if not {"text", "texts"} & set(names):
        help_ = "put `{text}` or `{texts}` into it"
        message = "this body does not have the text, so nothing would be screened"
        problems.add("S217", said.span, message, "no `{text}`", help_)
    fault = _fault(template)
    if fault:
        help_ = """values bring their own quotes: `body '{"text": {text}}'`"""
        problems.add("S218", said.span, f"this body is not JSON: {fault}", "", help_)


def _fault(template: str) -> str:
    """Return why *template* is no JSON, whatever its values are; "" if it is."""
    if len(template) > _CHARS_MAX:
        return f"more than {_CHARS_MAX} characters"
    # A string inside a string breaks it, a list that is the key of an object does.
    quoted = BODY_VALUE.sub('""', template)
    listed = BODY_VALUE.sub(lambda v: "[]" if v[1] == "texts" else '""', template)
    return _not_json(quoted) or _not_json(listed)


def _not_json(text: str) -> str:
    try:
        json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        return f"{error.msg.lower()}, in line {error.lineno}"
    except (RecursionError, ValueError) as error:
        return str(error) or "it is nested too deeply"
    return ""


def _no_number(text: str) -> object:
    raise ValueError(f"`{text}` is no value of JSON")
