"""Take out of a flattened policy what its owner may not want to share.

Addresses, label values, messages, patterns, phrases and compared texts become made-up ones,
equal ones equal. What is left is a policy that compiles: names, numbers and structure stay.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headrace.dsl.effective.form import Line, Section
from headrace.dsl.effective.page import mapped
from headrace.dsl.providers import BODY

_TEXT = re.compile(
    r'[rRbB]{0,2}(?:"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\''
    r"|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')",
    re.DOTALL,
)
# What follows these is a name or a number in text's clothes, and no secret.
_KEPT_AFTER = re.compile(
    r"\b(?:header|metric|timestamp|duration)\($|\bheaders\[\??$"
    r"|^(?:(?:given )?pool|model|objective|profile|chain|test|endpoint|stage \w+ from) $"
    # The names of headers and of variables of the environment; a model that a template is for.
    # A path that passes unread.
    r"|^header $| from env $| for [^{]*$|^passthrough "
)
_ADDRESS = re.compile(r"^.*:(\d+)$")
# What stands behind these must have a form of its own for the policy to compile.
_FORMS = (
    (re.compile(r"^(?:response )?template $"), "projects/p/locations/{place}/templates/{made}"),
    (re.compile(r"^ask \w+ $|^anonymizer $"), "http://{made}.example"),
    (re.compile(r"^body $"), BODY),
)
_PLACE = re.compile(r"/locations/([a-z0-9-]+)/")


@dataclass(slots=True)
class _Made:
    """What was made up for what. Written while one policy is redacted."""

    names: frozenset[str]
    texts: dict[str, str] = field(default_factory=dict[str, str])

    def line(self, line: Line) -> Line:
        """Return *line* without what may be secret."""
        address = line.text.startswith("endpoints ")
        made = _TEXT.sub(lambda found: self._one(found, address=address), line.text)
        return replace(line, text=made, facts=())

    def _one(self, found: re.Match[str], *, address: bool) -> str:
        text, whole = found.group(), found.string
        inner = text.strip("rRbB").strip("\"'")
        before, after = whole[: found.start()], whole[found.end() :]
        is_key = after.lstrip().startswith(":") and not address
        # In a test an endpoint may have a name; in a pool it has its address there.
        address = address or (before == "endpoint " and _ADDRESS.match(inner) is not None)
        if (
            not inner
            or inner in self.names
            or is_key
            or (_KEPT_AFTER.search(before) and not address)
        ):
            return text
        number = len(self.texts) + 1
        port = _ADDRESS.match(inner) if address else None
        made = f"redacted-{number}"
        if port:
            # Addresses kept for documentation (RFC 3849).
            made = f"[2001:db8::{number:x}]:{port.group(1)}"
        form = next((form for verb, form in _FORMS if verb.match(before)), "")
        if form == BODY:
            return f"'{BODY}'"
        if form:
            place = _PLACE.search(inner)
            made = form.format(made=made, place=place[1] if place else "global")
        prefix = "b" if "b" in text[: text.index(text[-1])].lower() else ""
        return self.texts.setdefault(f"{prefix}{inner}", f'{prefix}"{made}"')


def redacted(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Return *sections* without what may be secret."""
    made = _Made(frozenset(name for section in sections for name in section.names))
    return tuple(mapped(section, made.line) for section in sections)
