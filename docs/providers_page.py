"""The reference page of providers and detectors, from the language's own data."""

from docs.tables import code, prose, table

from headrace.dsl.providers import BODY_VALUES, DETECTORS, SCHEMAS, Option, Schema

READINGS = {
    "match": "`match when CONDITION`: whether the answer objects; needed",
    "category": "`category EXPRESSION`: the word, or the list of words, of what was found",
    "text": "`text EXPRESSION`: the text as it should be, so that findings can be redacted",
}


def providers() -> str:
    """Return the page of what a guard can look for, and whom it can ask."""
    opening = prose(
        "What a guard looks for by itself (`detect`), and whom it can `ask`. How: "
        "[guards](../language/guarding.md), [guard providers](../howto/guard-providers.md).",
    )
    detectors = table(("detector", "finds"), ((code(n), doc) for n, doc in DETECTORS.items()))
    sections = "\n".join(_provider(schema) for schema in SCHEMAS.values())
    return f"# Providers and detectors\n\n{opening}## Detectors\n\n{detectors}\n{sections}"


def _provider(schema: Schema) -> str:
    facts = table(("fact", "value"), _facts(schema))
    settings = table(
        ("setting", "type", "default", "meaning"), (_row(one) for one in schema.options)
    )
    about = f"{schema.doc[0].upper()}{schema.doc[1:]}."
    parts = [f"## `{schema.name}`\n\n{about}\n\n{facts}\n{settings}"]
    if schema.readings:
        holes = ((code(f"{{{name}}}"), doc) for name, doc in BODY_VALUES.items())
        rules = ((READINGS[name],) for name in READINGS if name in schema.readings)
        parts += [table(("what is computed from the answer",), rules)]
        parts += [table(("in `body`", "is"), holes)]
    return "\n".join(parts)


def _facts(schema: Schema) -> list[tuple[str, str]]:
    says = [
        *(["where it is: redact, mask"] if schema.locates else []),
        *(["what the text should be: redact"] if schema.rewrites else []),
    ]
    return [
        ("its URL if none is said", code(schema.url) or "none: it must be said"),
        ("judges", ", ".join(sorted(schema.directions))),
        ("says of a finding", "; ".join(["its category", *says])),
        ("characters of one call at most", f"{schema.chars_max:,}"),
    ]


def _row(option: Option) -> tuple[str, str, str, str]:
    kind = " or ".join(code(word) for word in option.words) or option.kind.value
    of = f" [`for` {option.of}]" if option.of else ""
    many = ", ..." if option.many else ""
    default = "required" if option.required else "" if option.default is None else option.default
    return code(option.name), f"{kind}{many}{of}", str(default).lower(), option.doc
